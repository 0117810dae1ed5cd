from django.db import migrations, models

LIVE = ("draft", "waiting", "ready", "made", "accepted")
MONEY_BACK = ("refund", "return", "discount")


def bring_along(apps, schema_editor):
    """Offers that are open keep what of them was due by law; cases opened again keep the moment."""
    Remedy = apps.get_model("repairs", "Remedy")
    Offer = apps.get_model("repairs", "Offer")
    RepairCase = apps.get_model("repairs", "RepairCase")
    ActionLog = apps.get_model("core", "ActionLog")
    goods = Remedy.objects.filter(
        offer__status__in=LIVE, status="planned", type__is_goodwill=False, statutory=0, amount__gt=0
    ).exclude(type__kind__in=MONEY_BACK)
    goods.update(statutory=models.F("amount"))
    for offer in Offer.objects.filter(status__in=LIVE, customer__isnull=True).select_related("case"):
        Offer.objects.filter(pk=offer.pk).update(customer_id=offer.case.customer_id)
    opened = ActionLog.objects.filter(model="repairs.repaircase", verb="reopen").order_by("at", "pk")
    for pk, at in opened.values_list("object_id", "at"):
        RepairCase.objects.filter(pk=pk, reopened_at__isnull=True).update(reopened_at=at)
        RepairCase.objects.filter(pk=pk, reopened_at__lt=at).update(reopened_at=at)


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0005_approval'),
        ('repairs', '0006_promised_to'),
    ]

    operations = [
        migrations.RunPython(bring_along, migrations.RunPython.noop, elidable=True),
    ]
