"""Orders that arrive find the feedback that named them before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("feedback", "0003_import_wizard")]
    operations = [
        migrations.AddIndex(
            model_name="feedback",
            index=models.Index(
                condition=models.Q(("order__isnull", True), models.Q(("order_no", ""), _negated=True)),
                fields=["order_no"],
                name="feedback_awaits_order",
            ),
        ),
    ]
