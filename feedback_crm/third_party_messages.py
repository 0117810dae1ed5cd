"""Texts of installed packages that come without Simplified Chinese, or whose Chinese we word differently.

`makemessages` finds them here and our catalogue translates them. Nothing imports this module. After an
upgrade of a package compare with its templates: ids are the same to the letter, line breaks included.
"""

from django.utils.translation import gettext_noop, ngettext


def _single() -> None:
    """Texts without a plural."""
    # django-axes
    gettext_noop("Locked Out")
    gettext_noop("Form Data")
    gettext_noop("Meta Data")
    gettext_noop("Clean up expired attempts")
    gettext_noop("Cleaned up {count} expired access attempts.")
    gettext_noop("Not set")
    gettext_noop("Attempt Remaining")
    gettext_noop("Account locked: too many login attempts. Please try again later.")
    gettext_noop("Account locked: too many login attempts. Contact an admin to unlock your account.")
    gettext_noop("User Agent")
    gettext_noop("IP Address")
    gettext_noop("HTTP Accept")
    gettext_noop("Path")
    gettext_noop("Attempt Time")
    gettext_noop("Access lock out")
    gettext_noop("access failure")
    gettext_noop("access failures")
    gettext_noop("GET Data")
    gettext_noop("POST Data")
    gettext_noop("Failed Logins")
    gettext_noop("access attempt")
    gettext_noop("access attempts")
    gettext_noop("Access Attempt")
    gettext_noop("Expires At")
    gettext_noop("The time when access attempt expires and is no longer valid.")
    gettext_noop("access attempt expiration")
    gettext_noop("access attempt expirations")
    gettext_noop("Logout Time")
    gettext_noop("Session key hash (sha256)")
    gettext_noop("access log")
    gettext_noop("access logs")
    # django-celery-beat
    gettext_noop("Schedule")
    gettext_noop("Arguments")
    gettext_noop("Execution Options")
    gettext_noop('task "{not_found_task_name}" not found')
    gettext_noop("Periodic Tasks Using This Schedule")
    gettext_noop('Cron Months (1-12) Of The Year to Run. Use "*" for "all". (Example: "1,12")')
    gettext_noop(
        'Cron Days Of The Week to Run. Use "*" for "all", Sunday is 0 or 7, Monday is 1. (Example: "0,5")'
    )
    # django-filter
    gettext_noop("date")
    gettext_noop("year")
    gettext_noop("month")
    gettext_noop("day")
    gettext_noop("week day")
    gettext_noop("hour")
    gettext_noop("minute")
    gettext_noop("second")
    gettext_noop("contains")
    gettext_noop("is in")
    gettext_noop("is greater than")
    gettext_noop("is greater than or equal to")
    gettext_noop("is less than")
    gettext_noop("is less than or equal to")
    gettext_noop("starts with")
    gettext_noop("ends with")
    gettext_noop("is in range")
    gettext_noop("is null")
    gettext_noop("matches regex")
    gettext_noop("search")
    gettext_noop("is contained by")
    gettext_noop("overlaps")
    gettext_noop("has key")
    gettext_noop("has keys")
    gettext_noop("has any keys")
    gettext_noop("Select a lookup.")
    gettext_noop("Range query expects two values.")
    gettext_noop("Yesterday")
    gettext_noop("Multiple values may be separated by commas.")
    gettext_noop("%s (descending)")
    gettext_noop("Submit")
    gettext_noop("Field filters")
    gettext_noop("exclude")
    # Django REST framework
    gettext_noop("A valid biginteger is required.")
    gettext_noop("Integer value too large to convert to float")
    # django-simple-history
    gettext_noop("Deleted %(type_name)s")
    gettext_noop("Changes")
    # django-unfold
    gettext_noop("Select record")
    gettext_noop("Select action")
    gettext_noop("Collapse")
    gettext_noop("Value")
    gettext_noop("Default")
    gettext_noop("Code")
    gettext_noop("Current file")
    gettext_noop("Reset to default")
    gettext_noop("From")
    gettext_noop("To")
    gettext_noop("Date from")
    gettext_noop("Date to")
    gettext_noop("Not enough data.")
    gettext_noop("Add new item")
    gettext_noop("Paragraph")
    gettext_noop("Underlined")
    gettext_noop("Bold")
    gettext_noop("Italic")
    gettext_noop("Strike")
    gettext_noop("Link")
    gettext_noop("Heading")
    gettext_noop("Quote")
    gettext_noop("Unordered list")
    gettext_noop("Ordered list")
    gettext_noop("Indent increase")
    gettext_noop("Indent decrease")
    gettext_noop("Undo")
    gettext_noop("Redo")
    gettext_noop("Enter an URL")
    gettext_noop("Unlink")
    gettext_noop("Select format")
    gettext_noop("Export")
    gettext_noop("Import")
    gettext_noop("This exporter will export the following fields")
    gettext_noop(
        "Below is a preview of data to be imported. If you are satisfied with the results, "
        "click 'Confirm import'"
    )
    gettext_noop("Confirm import")
    gettext_noop("Line number")
    gettext_noop("View traceback")
    gettext_noop("New")
    gettext_noop("Skipped")
    gettext_noop("Update")
    gettext_noop("Some rows failed to validate")
    gettext_noop(
        "Please correct these errors in your data where possible, then reupload it using the form above."
    )
    gettext_noop("Row")
    gettext_noop("Non field specific")
    gettext_noop("This exporter will export the following fields: ")
    gettext_noop("This importer will import the following fields: ")
    gettext_noop("Choose a date from the list below to revert to a previous version of this object")
    gettext_noop("Select action to run")
    gettext_noop(
        "Raw passwords are not stored, so there is no way to see this user’s password, but "
        'you can change the password using <a href="{}" class="text-primary-600 '
        'dark:text-primary-500">this form</a>.'
    )
    gettext_noop("Select value")
    gettext_noop("Dataset not found. No action performed.")
    gettext_noop("You can not create nested object without parent")
    gettext_noop("Run")
    gettext_noop("After you've created a user, you’ll be able to edit more user options.")
    gettext_noop("Expand row")
    gettext_noop("Welcome back to")
    gettext_noop("Type to search")
    gettext_noop("You have been successfully logged out from the administration")
    gettext_noop("No data")
    gettext_noop("More actions")
    gettext_noop("All applications")
    gettext_noop("True")
    gettext_noop("False")
    gettext_noop("Apply Filters")
    gettext_noop("Select all rows")
    gettext_noop("Recent searches")
    gettext_noop("No recent searches")
    gettext_noop("No results matching your query")
    gettext_noop("Loading more results...")
    gettext_noop("Cancel")
    gettext_noop("Record picture")
    gettext_noop("This item will be deleted.")
    gettext_noop("Click to cancel")
    gettext_noop("No results found")
    gettext_noop("This page yielded into no results. Create a new item or reset your filters.")
    gettext_noop("Reset filters")
    gettext_noop("Image preview")
    gettext_noop("Click to download")
    gettext_noop("Go back")
    gettext_noop("Previous")
    gettext_noop("Next")
    gettext_noop("Search apps and models...")
    gettext_noop("General")
    gettext_noop("Light")
    gettext_noop("Dark")
    gettext_noop("System")
    gettext_noop("Return to site")
    gettext_noop("Choose file to upload")
    gettext_noop("Toggle password visibility")
    gettext_noop("Add row")
    gettext_noop("Date")
    gettext_noop("Select currency")


def _reworded() -> None:
    """Texts whose own Chinese does not fit ours."""
    # django-unfold, Django
    gettext_noop("Filters")
    # django-celery-beat
    gettext_noop("Periodic Tasks")
    gettext_noop("periodic task")
    gettext_noop("periodic tasks")
    gettext_noop("Set to False to disable the schedule")


def _plural(number: int) -> None:
    """Texts with a plural."""
    # django-celery-beat
    ngettext("{0} task was successfully enabled", "{0} tasks were successfully enabled", number)
    # django-celery-beat
    ngettext("{0} task was successfully disabled", "{0} tasks were successfully disabled", number)
    # django-celery-beat
    ngettext("{0} task was successfully toggled", "{0} tasks were successfully toggled", number)
    # django-unfold
    ngettext(
        "\n                    Export %(len)s selected item.\n                ",
        "\n                    Export %(len)s selected items.\n                ",
        number,
    )
    # django-unfold
    ngettext(
        "\n                Found %(counter)s result in %(time)s seconds\n            ",
        "\n                Found %(counter)s results in %(time)s seconds\n            ",
        number,
    )
