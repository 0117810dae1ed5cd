"""Reading platform exports: files in, plain rows and coded problems out (R3, R5; peers.md 3.19 and 4.6).

``open_rows`` streams CSV and XLSX, ``parsing`` turns cells into values, ``mapping`` says which column is
which field. Nothing here knows Django, the database or a language: problems are codes with parameters.
"""

from apps.feedback.fileformats.mapping import (
    FIELDS,
    Guess,
    Mapping,
    MappingError,
    guess,
    parse_mapping,
    presets,
)
from apps.feedback.fileformats.parsing import (
    RATING_SCALES,
    Nickname,
    ParseError,
    clean_nickname,
    parse_datetime,
    parse_order_no,
    parse_phone,
    parse_rating,
    split_images,
)
from apps.feedback.fileformats.problems import FileRefused, Problem, RowProblem
from apps.feedback.fileformats.reading import RowSource, open_rows

__all__ = [
    "FIELDS",
    "RATING_SCALES",
    "FileRefused",
    "Guess",
    "Mapping",
    "MappingError",
    "Nickname",
    "ParseError",
    "Problem",
    "RowProblem",
    "RowSource",
    "clean_nickname",
    "guess",
    "open_rows",
    "parse_datetime",
    "parse_mapping",
    "parse_order_no",
    "parse_phone",
    "parse_rating",
    "presets",
    "split_images",
]
