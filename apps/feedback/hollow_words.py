"""Words that stand everywhere and say nothing of what a feedback is about. Plain Python."""

HOLLOW = frozenset(
    """
    我们 你们 他们 这个 那个 一个 就是 不是 还是 但是 因为 所以 什么 怎么 没有 已经 真的 感觉
    觉得 有点 非常 比较 可以 不能 一下 自己 时候 现在 然后 而且 如果 虽然 只是 还有 一次 第一
    这么 那么 东西 结果 一直
    """.split()  # noqa: SIM905 - a list of words reads better than a list of quotes
)
