"""Chinese dates as shops write them: 2026-11-22 18:05, without Django's 年月日 in narrow columns."""

DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "Y-m-d H:i"
SHORT_DATE_FORMAT = "m-d"
SHORT_DATETIME_FORMAT = "m-d H:i"
FIRST_DAY_OF_WEEK = 1
