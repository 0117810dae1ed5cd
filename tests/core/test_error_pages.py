"""What people see when a page cannot be: words in both languages, even when nothing else works."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string


@pytest.mark.parametrize(
    ("code", "chinese", "english"),
    [
        ("400", "请求有误", "This request is not right"),
        ("403", "没有权限查看", "You may not see this"),
        ("404", "找不到这个页面", "This page does not exist"),
        ("500", "系统出错了", "Something went wrong here"),
    ],
)
def test_an_error_page_needs_nothing_and_says_what_to_do(code: str, chinese: str, english: str) -> None:
    html = render_to_string(f"{code}.html")
    assert html.count(chinese) == 2  # title and heading
    assert english in html
    assert 'href="/admin/"' in html
    # Nothing else has to be fetched: neither a script nor a style sheet nor a picture.
    assert "src=" not in html and "<link" not in html
