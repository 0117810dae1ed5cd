"""Roles as groups with their permissions (decisions, item 11). Staff may change them; loading never takes that back."""

from __future__ import annotations

from collections import Counter

from django.contrib.auth.models import Group, Permission

from apps.core.models import RoleGrant

VIEW_SHOP = [
    "shop.view_store",
    "shop.view_department",
    "shop.view_team",
    "shop.view_product",
    "shop.view_stocklevel",
    "shop.view_workitem",
    "shop.view_workcalendar",
    "shop.view_calendarday",
    "shop.view_leave",
]
VIEW_RULES = [
    "feedback.view_channel",
    "feedback.view_category",
    "feedback.view_slapolicy",
    "feedback.view_slatarget",
    "feedback.view_dispatchrule",
    "feedback.view_tierpolicy",
    "feedback.view_wordlist",
    "feedback.view_visitcriterion",
]
VIEW_VISITS = ["feedback.view_mysteryvisit", "feedback.view_symposium"]
ENTER_VISITS = [
    *VIEW_VISITS,
    "feedback.add_mysteryvisit",
    "feedback.change_mysteryvisit",
    "feedback.add_symposium",
    "feedback.change_symposium",
]
RECORD_VISITS = ["feedback.record_mysteryvisit", "feedback.record_symposium"]
USE_KNOWLEDGE = ["feedback.view_article", "feedback.use_article"]
LEAD_KNOWLEDGE = [
    "feedback.add_article",
    "feedback.change_article",
    "feedback.approve_article",
    "feedback.view_autoanswer",
    "feedback.review_autoanswer",
    "feedback.view_knowledgepolicy",
    "feedback.change_knowledgepolicy",
    "feedback.view_articleproposal",
]
NOTICES = ["core.view_staffnotice", "core.view_approval"]
READ_FEEDBACK = ["feedback.view_feedback", *NOTICES]
VIEW_MESSAGES = ["messaging.view_outboundmessage", "messaging.view_inboundmessage"]
SEND_MESSAGES = [
    *VIEW_MESSAGES,
    "messaging.view_messagetemplate",
    "messaging.send_message",
    "messaging.change_inboundmessage",
]
LEAD_MESSAGES = [
    "messaging.resolve_message",
    "messaging.add_messagetemplate",
    "messaging.change_messagetemplate",
    "messaging.view_messagingpolicy",
    "messaging.change_messagingpolicy",
    "messaging.view_gateway",
]
REWARDS_AGENT = [
    "rewards.spend_agent",
    "rewards.view_grant",
    "rewards.view_coupon",
    "rewards.view_coupontype",
    "rewards.view_pointsaccount",
    "rewards.view_gift",
    "rewards.view_budget",
    "rewards.redeem_coupon",
    "rewards.reveal_coupon",
]
REWARDS_CARE = [
    *REWARDS_AGENT,
    "rewards.view_giftdelivery",
    "rewards.deliver_gift",
    "rewards.settle_grant",
    "rewards.adjust_points",
]
REWARDS_LEAD = [
    *REWARDS_CARE,
    "rewards.spend_lead",
    "rewards.approve_points",
    "rewards.reverse_grant",
    "rewards.export_grant",
    "rewards.void_coupon",
    "rewards.import_coupon",
    "rewards.add_coupontype",
    "rewards.change_coupontype",
    "rewards.add_gift",
    "rewards.change_gift",
    "rewards.add_grant",
    "rewards.view_ledgerentry",
    "rewards.view_spendinglevel",
    "rewards.view_spendingpolicy",
]
REWARDS_MANAGER = [
    *REWARDS_LEAD,
    "rewards.spend_manager",
    "rewards.spend_director",
    "rewards.add_budget",
    "rewards.change_budget",
    "rewards.change_spendinglevel",
    "rewards.change_spendingpolicy",
]
REWARDS_READ = [
    "rewards.view_grant",
    "rewards.view_coupon",
    "rewards.view_budget",
    "rewards.view_ledgerentry",
    "rewards.view_spendinglevel",
    "rewards.view_spendingpolicy",
]
WORK_FEEDBACK = [
    *READ_FEEDBACK,
    *SEND_MESSAGES,
    "compliance.view_compliancerule",
    "compliance.view_verdict",
    "feedback.add_feedback",
    "feedback.change_feedback",
    "feedback.work_feedback",
    "customers.view_customer",
    "customers.view_order",
    "shop.change_workitem",
    "shop.add_workitem",
    *USE_KNOWLEDGE,
    *REWARDS_AGENT,
]
VIEW_REPAIRS = [
    "repairs.view_repaircase",
    "repairs.view_remedytype",
    "repairs.view_appealrule",
]
WORK_REPAIRS = [*VIEW_REPAIRS, "repairs.work_repaircase", "rewards.settle_grant"]
LEAD_REPAIRS = [
    "repairs.lead_repaircase",
    "repairs.appeal_repaircase",
    "repairs.view_repairpolicy",
    "repairs.change_repairpolicy",
    "repairs.add_remedytype",
    "repairs.change_remedytype",
    "repairs.add_appealrule",
    "repairs.change_appealrule",
]
SEE_FIGURES = ["repairs.view_figures"]
MAKE_CALLBACKS = [
    "callbacks.view_callback",
    "callbacks.add_callback",
    "callbacks.work_callback",
    "callbacks.view_callbackplan",
]
LEAD_CALLBACKS = [
    *MAKE_CALLBACKS,
    "callbacks.assign_callback",
    "callbacks.add_callbackplan",
    "callbacks.change_callbackplan",
]
AUTOMATION_VIEW = [
    "automation.view_rule",
    "automation.view_rulerun",
    "automation.view_proposal",
]
AUTOMATION_LEAD = [
    *AUTOMATION_VIEW,
    "automation.add_rule",
    "automation.change_rule",
    "automation.enable_rule",
    "automation.confirm_proposal",
    "automation.view_webhookendpoint",
    "automation.view_webhookdelivery",
    "automation.replay_webhook",
]
VIEW_REPUTATION = [
    "repairs.view_praise",
    "repairs.view_praisetag",
    "repairs.view_showcaseitem",
    "repairs.view_showcase",
    "repairs.view_reviewrequestplan",
    "repairs.view_reputationaction",
    "repairs.view_externalindicator",
    "repairs.view_indicatorvalue",
    "repairs.view_indicatorupload",
]
WORK_REPUTATION = [
    *VIEW_REPUTATION,
    "repairs.thank_praise",
    "repairs.propose_showcaseitem",
    "repairs.add_reputationaction",
    "repairs.change_reputationaction",
    "repairs.add_indicatorvalue",
]
LEAD_REPUTATION = [
    "repairs.release_showcaseitem",
    "repairs.add_showcase",
    "repairs.change_showcase",
    "repairs.add_praisetag",
    "repairs.change_praisetag",
    "repairs.add_reviewrequestplan",
    "repairs.change_reviewrequestplan",
    "repairs.switch_reviewrequestplan",
    "repairs.check_reputationaction",
    "repairs.add_externalindicator",
    "repairs.change_externalindicator",
]
OWN_PERFORMANCE = [
    "performance.view_agentmonth",
    "performance.view_monthlyscore",
    "performance.view_scoreweights",
    "performance.view_qualityreview",
    "performance.view_coachingnote",
    "performance.view_trainingsession",
]
LEAD_PERFORMANCE = [
    *OWN_PERFORMANCE,
    "performance.lead_team",
    "performance.export_agentmonth",
    "performance.publish_monthlyscore",
    "performance.review_qualityreview",
    "performance.view_qualitysample",
    "performance.view_qualitycriterion",
    "performance.add_coachingnote",
    "performance.add_trainingsession",
    "performance.change_trainingsession",
    "performance.view_trainingproposal",
    "performance.decide_trainingproposal",
    "performance.view_performancepolicy",
]
MANAGE_PERFORMANCE = [
    *LEAD_PERFORMANCE,
    "performance.see_all_performance",
    "performance.view_monthroll",
    "performance.lock_monthroll",
    "performance.add_scoreweights",
    "performance.add_qualitysample",
    "performance.add_qualitycriterion",
    "performance.change_qualitycriterion",
    "performance.change_performancepolicy",
]
READ_PERFORMANCE = [
    "performance.see_all_performance",
    "performance.view_agentmonth",
    "performance.view_monthroll",
    "performance.view_monthlyscore",
    "performance.view_scoreweights",
    "performance.view_qualitysample",
    "performance.view_qualityreview",
    "performance.view_qualitycriterion",
    "performance.view_trainingsession",
    "performance.view_trainingproposal",
    "performance.view_performancepolicy",
]
OPS = [
    *WORK_REPUTATION,
    *WORK_FEEDBACK,
    *OWN_PERFORMANCE,
    *VIEW_SHOP,
    "feedback.see_all_feedback",
    "feedback.view_importrun",
    "feedback.import_feedback",
    "customers.view_consentevent",
    "customers.view_contacthold",
    "customers.view_customermerge",
    "feedback.view_channel",
    "feedback.view_category",
    "feedback.view_publicentry",
    "feedback.view_topic",
    "feedback.add_topic",
    "feedback.change_topic",
    "feedback.view_macro",
    *ENTER_VISITS,
    *AUTOMATION_VIEW,
    *WORK_REPAIRS,
    *MAKE_CALLBACKS,
]
LEAD = [
    *OPS,
    *LEAD_REPUTATION,
    *LEAD_PERFORMANCE,
    *LEAD_MESSAGES,
    *REWARDS_LEAD,
    "core.decide_approval",
    "compliance.approve_verdict",
    "feedback.answer_topic",
    "feedback.add_macro",
    "feedback.change_macro",
    *VIEW_RULES,
    *RECORD_VISITS,
    *LEAD_KNOWLEDGE,
    *AUTOMATION_LEAD,
    *LEAD_REPAIRS,
    *SEE_FIGURES,
    *LEAD_CALLBACKS,
    "feedback.add_publicentry",
    "feedback.change_publicentry",
    "feedback.add_visitcriterion",
    "feedback.change_visitcriterion",
    "feedback.assign_feedback",
    "feedback.undo_importrun",
    "customers.unmask_customer",
    "customers.merge_customer",
    "customers.change_customer",
    "customers.add_contacthold",
    "customers.change_contacthold",
    "customers.add_consentevent",
    "feedback.change_category",
    "feedback.add_category",
    "feedback.change_wordlist",
    "feedback.change_tierpolicy",
    "feedback.change_slapolicy",
    "feedback.change_slatarget",
    "feedback.add_slatarget",
    "feedback.add_dispatchrule",
    "feedback.change_dispatchrule",
    "feedback.delete_dispatchrule",
    "feedback.change_channel",
    "feedback.view_trainedmodel",
    "feedback.change_trainedmodel",
    "shop.add_leave",
    "shop.change_leave",
    "shop.delete_leave",
    "shop.view_staffprofile",
    "shop.change_staffprofile",
    "shop.change_team",
    "shop.add_team",
    "shop.add_teammember",
    "shop.change_teammember",
    "shop.view_teammember",
    "shop.delete_teammember",
    "shop.add_calendarday",
    "shop.change_calendarday",
    "shop.delete_calendarday",
    "shop.change_workcalendar",
    "shop.change_store",
    "shop.add_store",
    "shop.add_product",
    "shop.change_product",
    "shop.change_stocklevel",
    "shop.add_stocklevel",
    "core.view_actionlog",
    "core.view_user",
]
CARE = [
    *WORK_REPUTATION,
    *WORK_FEEDBACK,
    *OWN_PERFORMANCE,
    *WORK_REPAIRS,
    *REWARDS_CARE,
    *VIEW_SHOP,
    "feedback.see_all_feedback",
    "customers.change_customer",
    "customers.add_customer",
    "customers.view_consentevent",
    "customers.add_consentevent",
    "customers.view_contacthold",
    "customers.add_contacthold",
    "customers.change_contacthold",
    "customers.unmask_customer",
    *VIEW_VISITS,
    "feedback.add_symposium",
    "feedback.change_symposium",
    "feedback.record_symposium",
    *MAKE_CALLBACKS,
]
ROLES: dict[str, list[str]] = {
    "ops": OPS,
    "ops-lead": LEAD,
    "care": CARE,
    "care-lead": [
        *CARE,
        *LEAD_PERFORMANCE,
        "repairs.lead_repaircase",
        *LEAD_REPUTATION,
        *SEE_FIGURES,
        *LEAD_MESSAGES,
        *REWARDS_LEAD,
        "core.decide_approval",
        "customers.merge_customer",
        "feedback.assign_feedback",
        *AUTOMATION_VIEW,
        "automation.confirm_proposal",
        *LEAD_CALLBACKS,
    ],
    "pr": [
        *WORK_FEEDBACK,
        *VIEW_SHOP,
        *OWN_PERFORMANCE,
        *WORK_REPAIRS,
        *WORK_REPUTATION,
        *MAKE_CALLBACKS,
        "feedback.see_all_feedback",
    ],
    "pr-lead": [
        *WORK_REPUTATION,
        *LEAD_REPUTATION,
        *WORK_FEEDBACK,
        *LEAD_PERFORMANCE,
        *WORK_REPAIRS,
        "repairs.lead_repaircase",
        *SEE_FIGURES,
        "rewards.spend_lead",
        *VIEW_SHOP,
        "core.decide_approval",
        "feedback.see_all_feedback",
        "feedback.assign_feedback",
        *LEAD_CALLBACKS,
    ],
    "legal": [
        *WORK_FEEDBACK,
        *OWN_PERFORMANCE,
        *WORK_REPAIRS,
        "repairs.appeal_repaircase",
        "repairs.change_appealrule",
        "rewards.approve_legal",
        "rewards.view_spendinglevel",
        "rewards.view_spendingpolicy",
        *VIEW_SHOP,
        *VIEW_RULES,
        "core.decide_approval",
        "compliance.approve_verdict",
        "compliance.add_compliancerule",
        "compliance.change_compliancerule",
        "compliance.view_ruleterm",
        "compliance.change_ruleterm",
        "feedback.see_all_feedback",
    ],
    "manager": [
        *LEAD,
        *MANAGE_PERFORMANCE,
        *REWARDS_MANAGER,
        "core.view_reveal",
        "core.view_integration",
        "messaging.add_gateway",
        "messaging.change_gateway",
    ],
    "dept": [*WORK_FEEDBACK, *OWN_PERFORMANCE, *VIEW_SHOP, *VIEW_REPAIRS],
    "store": [
        *WORK_FEEDBACK,
        *OWN_PERFORMANCE,
        *WORK_REPAIRS,
        *VIEW_SHOP,
        *VIEW_VISITS,
        *VIEW_REPUTATION,
        "repairs.thank_praise",
        "repairs.add_indicatorvalue",
        "shop.change_stocklevel",
        "feedback.view_publicentry",
        "callbacks.view_callback",
        "callbacks.work_callback",
    ],
    "analyst": [
        *READ_FEEDBACK,
        *VIEW_REPAIRS,
        *SEE_FIGURES,
        *VIEW_SHOP,
        *VIEW_RULES,
        "feedback.view_topic",
        "feedback.see_all_feedback",
        "customers.view_customer",
        "customers.view_order",
        "feedback.view_importrun",
        *VIEW_VISITS,
        "callbacks.view_callback",
        "callbacks.view_callbackplan",
        *VIEW_REPUTATION,
    ],
    "integration": [],
    "auditor": [
        *READ_FEEDBACK,
        *READ_PERFORMANCE,
        *VIEW_REPAIRS,
        *SEE_FIGURES,
        *REWARDS_READ,
        *VIEW_SHOP,
        *VIEW_RULES,
        "feedback.see_all_feedback",
        "core.view_actionlog",
        "core.view_reveal",
        "core.view_approval",
        "compliance.view_compliancerule",
        "compliance.view_verdict",
        "customers.view_consentevent",
        "customers.view_customermerge",
        "feedback.view_importrun",
        *VIEW_MESSAGES,
        "messaging.view_messagetemplate",
        "messaging.view_messagingpolicy",
        "messaging.view_gateway",
    ],
}


def load_groups() -> Counter[str]:
    """Make the groups that are missing and give each what this version brings. `admin` gets every permission.

    What loading gave once is remembered: staff may take it away for good.
    """
    done: Counter[str] = Counter()
    every = {
        f"{app}.{codename}": pk
        for pk, codename, app in Permission.objects.values_list("id", "codename", "content_type__app_label")
    }
    given = set(RoleGrant.objects.values_list("role", "permission"))
    fresh: list[RoleGrant] = []
    for name, wanted in {**ROLES, "admin": list(every)}.items():
        group, created = Group.objects.get_or_create(name=name)
        new = [permission for permission in dict.fromkeys(wanted) if (name, permission) not in given]
        if new:
            group.permissions.add(*(every[permission] for permission in new))
            fresh += [RoleGrant(role=name, permission=permission) for permission in new]
        done["created" if created else "kept"] += 1
    RoleGrant.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=500)
    return done
