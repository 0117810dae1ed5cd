"""Look and menu of the admin. The menu shows a person what their role works with, in the order of the day."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


def item(title: Any, icon: str, name: str, permission: str, query: str = "", **extra: Any) -> dict[str, Any]:
    """One line of the menu, shown to those who hold `permission`."""

    def link(request: HttpRequest) -> str:
        try:
            return reverse(name) + query
        except NoReverseMatch:
            return ""

    def allowed(request: HttpRequest) -> bool:
        return request.user.has_perm(permission) if permission else True

    return {"title": title, "icon": icon, "link": link, "permission": allowed} | extra


def in_repairs(request: HttpRequest) -> bool:
    """The funnel lies below the queue's address and has a line of its own."""
    start = reverse("admin:repairs_repaircase_changelist")
    return request.path.startswith(start) and not request.path.startswith(f"{start}funnel/")


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar."""
    groups: list[dict[str, Any]] = [
        {
            "items": [
                item(_("Home"), "home", "admin:index", ""),
                item(
                    _("Feedback queue"),
                    "inbox",
                    "admin:feedback_feedback_changelist",
                    "feedback.view_feedback",
                ),
                item(
                    _("Review repairs"),
                    "healing",
                    "admin:repairs_repaircase_changelist",
                    "repairs.view_repaircase",
                    active=in_repairs,
                ),
                item(
                    _("Repair funnel"),
                    "filter_alt",
                    "admin:repairs_repaircase_funnel",
                    "repairs.view_figures",
                ),
                item(
                    _("Callbacks"),
                    "phone_callback",
                    "admin:callbacks_callback_agenda",
                    "callbacks.view_callback",
                ),
                item(_("New feedback"), "edit_note", "admin:feedback_feedback_add", "feedback.add_feedback"),
                item(
                    _("Imports"),
                    "upload_file",
                    "admin:feedback_importrun_changelist",
                    "feedback.view_importrun",
                ),
                item(
                    _("Common problems"),
                    "bubble_chart",
                    "admin:feedback_topic_changelist",
                    "feedback.view_topic",
                ),
                item(_("Frequent words"), "insights", "feedback_words", "feedback.view_feedback"),
                item(
                    _("Mystery visits"),
                    "theater_comedy",
                    "admin:feedback_mysteryvisit_changelist",
                    "feedback.view_mysteryvisit",
                ),
                item(
                    _("Symposiums"),
                    "forum",
                    "admin:feedback_symposium_changelist",
                    "feedback.view_symposium",
                ),
                item(
                    pgettext_lazy("menu", "Knowledge base"),
                    "menu_book",
                    "admin:feedback_article_changelist",
                    "feedback.view_article",
                ),
                item(_("Work items"), "task_alt", "admin:shop_workitem_changelist", "shop.view_workitem"),
                item(
                    _("Shift notes"),
                    "sticky_note_2",
                    "admin:feedback_shiftnote_changelist",
                    "feedback.view_feedback",
                ),
                item(_("Morning digest"), "wb_twilight", "digest", "feedback.view_feedback"),
                item(
                    _("Hand-overs"),
                    "move_group",
                    "admin:feedback_handover_changelist",
                    "feedback.assign_feedback",
                ),
                item(
                    _("Approvals"),
                    "approval",
                    "admin:core_approval_changelist",
                    "core.view_approval",
                ),
                item(
                    _("Notices"),
                    "notifications",
                    "admin:core_staffnotice_changelist",
                    "core.view_staffnotice",
                ),
            ],
        },
        {
            "title": _("Customers"),
            "separator": True,
            "items": [
                item(
                    _("Customers"), "group", "admin:customers_customer_changelist", "customers.view_customer"
                ),
                item(_("Orders"), "receipt_long", "admin:customers_order_changelist", "customers.view_order"),
                item(
                    _("Consent ledger"),
                    "verified_user",
                    "admin:customers_consentevent_changelist",
                    "customers.view_consentevent",
                ),
            ],
        },
        {
            "title": pgettext_lazy("menu", "Rewards"),
            "separator": True,
            "collapsible": True,
            "items": [
                item(_("Grants"), "redeem", "admin:rewards_grant_changelist", "rewards.view_grant"),
                item(
                    _("Coupons"),
                    "confirmation_number",
                    "admin:rewards_coupon_changelist",
                    "rewards.view_coupon",
                ),
                item(
                    _("Points"),
                    "stars",
                    "admin:rewards_pointsaccount_changelist",
                    "rewards.view_pointsaccount",
                ),
                item(
                    _("Gifts to send"),
                    "local_shipping",
                    "admin:rewards_giftdelivery_changelist",
                    "rewards.view_giftdelivery",
                ),
                item(
                    _("Coupon types"),
                    "sell",
                    "admin:rewards_coupontype_changelist",
                    "rewards.view_coupontype",
                ),
                item(
                    _("Gifts"),
                    "featured_seasonal_and_gifts",
                    "admin:rewards_gift_changelist",
                    "rewards.view_gift",
                ),
                item(_("Budgets"), "savings", "admin:rewards_budget_changelist", "rewards.view_budget"),
                item(
                    _("Incentive ledger"),
                    "menu_book",
                    "admin:rewards_ledgerentry_changelist",
                    "rewards.view_ledgerentry",
                ),
                item(
                    _("Spending levels"),
                    "stairs",
                    "admin:rewards_spendinglevel_changelist",
                    "rewards.view_spendinglevel",
                ),
                item(
                    _("Limits for everybody"),
                    "rule",
                    "admin:rewards_spendingpolicy_changelist",
                    "rewards.view_spendingpolicy",
                ),
            ],
        },
        {
            "title": pgettext_lazy("menu", "Reputation"),
            "separator": True,
            "items": [
                item(
                    pgettext_lazy("menu", "Praise"),
                    "thumb_up",
                    "admin:repairs_praise_changelist",
                    "repairs.view_praise",
                ),
                item(
                    _("Reviews for the showcase"),
                    "format_quote",
                    "admin:repairs_showcaseitem_changelist",
                    "repairs.view_showcaseitem",
                ),
                item(
                    _("Showcases"),
                    "storefront",
                    "admin:repairs_showcase_changelist",
                    "repairs.view_showcase",
                ),
                item(
                    _("Review requests"),
                    "rate_review",
                    "admin:repairs_reviewrequestplan_changelist",
                    "repairs.view_reviewrequestplan",
                ),
                item(
                    _("Reputation actions"),
                    "flag",
                    "admin:repairs_reputationaction_changelist",
                    "repairs.view_reputationaction",
                ),
                item(
                    _("Figures from outside"),
                    "monitoring",
                    "admin:repairs_indicatorvalue_board",
                    "repairs.view_indicatorvalue",
                ),
            ],
        },
        {
            "title": _("Messages"),
            "separator": True,
            "collapsible": True,
            "items": [
                item(
                    _("Outbox"),
                    "outgoing_mail",
                    "admin:messaging_outboundmessage_changelist",
                    "messaging.view_outboundmessage",
                ),
                item(
                    _("Answers"),
                    "inbox",
                    "admin:messaging_inboundmessage_changelist",
                    "messaging.view_inboundmessage",
                ),
                item(
                    _("Message templates"),
                    "edit_document",
                    "admin:messaging_messagetemplate_changelist",
                    "messaging.view_messagetemplate",
                ),
                item(_("Gateways"), "router", "admin:messaging_gateway_changelist", "messaging.view_gateway"),
                item(
                    _("Rules for messages"),
                    "gavel",
                    "admin:messaging_messagingpolicy_changelist",
                    "messaging.view_messagingpolicy",
                ),
                item(
                    _("Blocked addresses"),
                    "block",
                    "admin:messaging_addressblock_changelist",
                    "messaging.view_addressblock",
                ),
            ],
        },
        {
            "title": pgettext_lazy("menu", "People"),
            "separator": True,
            "collapsible": True,
            "items": [
                item(
                    _("My performance"),
                    "person",
                    "admin:performance_agentmonth_mine",
                    "performance.view_agentmonth",
                ),
                item(
                    _("Team performance"),
                    "leaderboard",
                    "admin:performance_agentmonth_team",
                    "performance.lead_team",
                ),
                item(
                    _("Monthly scores"),
                    "grade",
                    "admin:performance_monthlyscore_changelist",
                    "performance.view_monthlyscore",
                ),
                item(
                    _("Quality reviews"),
                    "fact_check",
                    "admin:performance_qualityreview_changelist",
                    "performance.view_qualityreview",
                ),
                item(
                    _("Coaching notes"),
                    "rate_review",
                    "admin:performance_coachingnote_changelist",
                    "performance.view_coachingnote",
                ),
                item(
                    _("Trainings"),
                    "school",
                    "admin:performance_trainingsession_changelist",
                    "performance.view_trainingsession",
                ),
                item(
                    _("Proposed trainings"),
                    "lightbulb",
                    "admin:performance_trainingproposal_changelist",
                    "performance.view_trainingproposal",
                ),
                item(
                    _("Weights of the score"),
                    "balance",
                    "admin:performance_scoreweights_changelist",
                    "performance.add_scoreweights",
                ),
                item(
                    _("Quality samples"),
                    "casino",
                    "admin:performance_qualitysample_changelist",
                    "performance.view_qualitysample",
                ),
                item(
                    _("Quality criteria"),
                    "checklist",
                    "admin:performance_qualitycriterion_changelist",
                    "performance.change_qualitycriterion",
                ),
                item(
                    _("Samples and trainings"),
                    "rule",
                    "admin:performance_performancepolicy_changelist",
                    "performance.view_performancepolicy",
                ),
                item(
                    _("Months of figures"),
                    "calendar_month",
                    "admin:performance_monthroll_changelist",
                    "performance.view_monthroll",
                ),
            ],
        },
        {
            "title": _("Compliance"),
            "separator": True,
            "collapsible": True,
            "items": [
                item(_("Check a text"), "fact_check", "compliance_try", "compliance.view_compliancerule"),
                item(
                    _("Compliance verdicts"),
                    "gavel",
                    "admin:compliance_verdict_changelist",
                    "compliance.view_verdict",
                ),
                item(
                    _("Compliance rules"),
                    "policy",
                    "admin:compliance_compliancerule_changelist",
                    "compliance.view_compliancerule",
                ),
                item(
                    _("Rule terms"),
                    "list_alt",
                    "admin:compliance_ruleterm_changelist",
                    "compliance.view_ruleterm",
                ),
            ],
        },
        {
            "title": _("Shop"),
            "separator": True,
            "collapsible": True,
            "items": [
                item(_("Stores"), "store", "admin:shop_store_changelist", "shop.view_store"),
                item(_("Teams"), "groups", "admin:shop_team_changelist", "shop.view_team"),
                item(
                    _("Departments"),
                    "account_tree",
                    "admin:shop_department_changelist",
                    "shop.view_department",
                ),
                item(
                    _("Work profiles"),
                    "badge",
                    "admin:shop_staffprofile_changelist",
                    "shop.view_staffprofile",
                ),
                item(_("Leave"), "event_busy", "admin:shop_leave_changelist", "shop.view_leave"),
                item(_("Products"), "inventory_2", "admin:shop_product_changelist", "shop.view_product"),
                item(
                    _("Stock levels"), "shelves", "admin:shop_stocklevel_changelist", "shop.view_stocklevel"
                ),
                item(
                    _("Working calendars"),
                    "calendar_month",
                    "admin:shop_workcalendar_changelist",
                    "shop.view_workcalendar",
                ),
                item(
                    _("Calendar days"), "event", "admin:shop_calendarday_changelist", "shop.view_calendarday"
                ),
            ],
        },
        {
            "title": _("Rules"),
            "separator": True,
            "collapsible": True,
            "items": [
                item(_("Channels"), "hub", "admin:feedback_channel_changelist", "feedback.view_channel"),
                item(
                    _("Rules for repairs"),
                    "healing",
                    "admin:repairs_repairpolicy_changelist",
                    "repairs.view_repairpolicy",
                ),
                item(
                    _("Remedies"), "redeem", "admin:repairs_remedytype_changelist", "repairs.view_remedytype"
                ),
                item(
                    _("Appeal rules"),
                    "balance",
                    "admin:repairs_appealrule_changelist",
                    "repairs.view_appealrule",
                ),
                item(
                    _("Public pages"),
                    "qr_code_2",
                    "admin:feedback_publicentry_changelist",
                    "feedback.view_publicentry",
                ),
                item(
                    _("Visit criteria"),
                    "checklist",
                    "admin:feedback_visitcriterion_changelist",
                    "feedback.view_visitcriterion",
                ),
                item(
                    _("Categories"),
                    "category",
                    "admin:feedback_category_changelist",
                    "feedback.view_category",
                ),
                item(
                    _("Word lists"),
                    "spellcheck",
                    "admin:feedback_wordlist_changelist",
                    "feedback.view_wordlist",
                ),
                item(
                    _("Trained models"),
                    "model_training",
                    "admin:feedback_trainedmodel_changelist",
                    "feedback.view_trainedmodel",
                ),
                item(
                    _("Service levels"),
                    "timer",
                    "admin:feedback_slapolicy_changelist",
                    "feedback.view_slapolicy",
                ),
                item(
                    _("Callback plans"),
                    "event_repeat",
                    "admin:callbacks_callbackplan_changelist",
                    "callbacks.view_callbackplan",
                ),
                item(_("Macros"), "bolt", "admin:feedback_macro_changelist", "feedback.view_macro"),
                item(
                    _("Dispatch rules"),
                    "alt_route",
                    "admin:feedback_dispatchrule_changelist",
                    "feedback.view_dispatchrule",
                ),
                item(
                    _("Tier policy"),
                    "tune",
                    "admin:feedback_tierpolicy_changelist",
                    "feedback.view_tierpolicy",
                ),
            ],
        },
        {
            "title": _("Automation"),
            "separator": True,
            "collapsible": True,
            "items": [
                item(
                    _("Automation rules"),
                    "robot_2",
                    "admin:automation_rule_changelist",
                    "automation.view_rule",
                ),
                item(
                    _("Proposals"),
                    "approval",
                    "admin:automation_proposal_changelist",
                    "automation.view_proposal",
                ),
                item(
                    _("Runs of rules"),
                    "receipt_long",
                    "admin:automation_rulerun_changelist",
                    "automation.view_rulerun",
                ),
                item(
                    _("Webhook addresses"),
                    "outbound",
                    "admin:automation_webhookendpoint_changelist",
                    "automation.view_webhookendpoint",
                ),
                item(
                    _("Webhook messages"),
                    "outgoing_mail",
                    "admin:automation_webhookdelivery_changelist",
                    "automation.view_webhookdelivery",
                ),
            ],
        },
        {
            "title": _("System"),
            "separator": True,
            "collapsible": True,
            "items": [
                item(_("Set up the shop"), "rocket_launch", "setup", "core.view_integration"),
                item(_("Staff members"), "person", "admin:core_user_changelist", "core.view_user"),
                item(_("Roles"), "shield_person", "admin:auth_group_changelist", "auth.view_group"),
                item(
                    _("Integrations"), "webhook", "admin:core_integration_changelist", "core.view_integration"
                ),
                item(
                    _("Webhooks"),
                    "cable",
                    "admin:feedback_webhooksecret_changelist",
                    "feedback.view_webhooksecret",
                ),
                item(_("Action log"), "history", "admin:core_actionlog_changelist", "core.view_actionlog"),
                item(
                    _("Looks at personal data"),
                    "visibility",
                    "admin:core_reveal_changelist",
                    "core.view_reveal",
                ),
                item(
                    _("Schedules"),
                    "schedule",
                    "admin:django_celery_beat_periodictask_changelist",
                    "django_celery_beat.view_periodictask",
                ),
            ],
        },
    ]
    for group in groups:
        group["items"] = [
            entry | {"link": link}
            for entry in group["items"]
            if entry["permission"](request) and (link := entry["link"](request))
        ]
    return [group for group in groups if group["items"]]


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("Feedback workplace"),
    "SITE_HEADER": _("Feedback workplace"),
    "SITE_SUBHEADER": "feedback_crm",
    "SITE_SYMBOL": "forum",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("core/icon.svg")}
    ],
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "STYLES": [lambda request: static("core/app.css")],
    "SCRIPTS": [lambda request: static("core/app.js")],
    "DASHBOARD_CALLBACK": "feedback_crm.home.home",
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": navigation},
    "BORDER_RADIUS": "8px",
    "COLORS": {
        # Teal: calm, and far from the red that means act.
        "primary": {
            "50": "oklch(98% .014 188)",
            "100": "oklch(95% .035 188)",
            "200": "oklch(90% .06 188)",
            "300": "oklch(83% .09 188)",
            "400": "oklch(72% .105 188)",
            "500": "oklch(60% .1 188)",
            "600": "oklch(50% .088 190)",
            "700": "oklch(43% .075 191)",
            "800": "oklch(37% .062 192)",
            "900": "oklch(32% .052 193)",
            "950": "oklch(23% .04 195)",
        },
    },
}
