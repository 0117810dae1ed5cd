"""The guards in words: what must be true, and what to do where it is not."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

GUARD_TEXTS: dict[str, tuple[Any, Any]] = {
    "s_lead": (
        _("an urgent case is contacted by a lead"),
        _("Ask your lead to call, or hand the case over."),
    ),
    "apologised": (_("an apology was made"), _("Record the talk first and tick the apology.")),
    "listened": (_("the customer was listened to"), _("Write down what the customer wants.")),
    "not_about_review": (
        _("the review is not mentioned"),
        _("Take out the words about the review: first help, nothing else."),
    ),
    "enough_tries": (
        _("tried often enough"),
        _("Note every try. The rules for repairs say how many are needed."),
    ),
    "enough_days": (_("tried on several days"), _("Try again on another day.")),
    "has_offer": (_("an offer is prepared"), _("Prepare an offer first.")),
    "unconditional": (
        _("the offer hangs on nothing"),
        _(
            "Take out whatever ties the offer to the review. Help that must be paid for with a review is unlawful."
        ),
    ),
    "offer_lawful": (_("the words of the offer are lawful"), _("Take back the offer and write it anew.")),
    "offer_approved": (_("the offer is approved"), _("A second person has to approve it; you will be told.")),
    "talks_left": (
        _("no more than the agreed number of new offers"),
        _("End the talks and answer in public, or ask your lead."),
    ),
    "nothing_begun": (
        _("nothing is under way or done"),
        _("Cancel what is under way first. What is done already is finished with “All carried out”."),
    ),
    "all_done": (
        _("every remedy is done"),
        _("Finish or cancel the open remedies first. If none is left, a lead calls the offer off."),
    ),
    "all_proven": (_("every remedy is proven"), _("Add tracking number or proof to each remedy.")),
    "executed": (_("the remedy was carried out"), _("Carry out the remedy first.")),
    "satisfied": (
        _("the customer is satisfied (4 or 5)"),
        _("Call back first. An invitation needs a satisfied customer."),
    ),
    "unsatisfied": (_("the customer gave 1 to 3"), _("With 4 or 5 the customer is satisfied.")),
    "callback_given_up": (
        _("the callback was tried to the end"),
        _("Go on trying; the callback says how often."),
    ),
    "not_invited": (_("not invited before"), _("There is one invitation in all. It has been used.")),
    "not_refused": (
        _("the customer may be asked about the review"),
        _("The customer does not want to be asked. Leave it at that."),
    ),
    "hours": (_("within the allowed hours"), _("Wait until the hours in which customers may be invited.")),
    "text_neutral": (
        _("one neutral sentence"),
        _("Ask for no certain stars, deletion or praise, and attach nothing to it."),
    ),
    "text_lawful": (_("the words are lawful"), _("Change the words the rules object to.")),
    "replied": (
        _("the public reply is out"),
        _("Write the reply, put it on the platform and mark it as sent."),
    ),
    "reply_approved": (
        _("an urgent case's reply is approved"),
        _("A second person has to approve the words."),
    ),
    "two_grounds": (
        _("evidence of at least two grounds"),
        _("Few stars or hard words are never malice. Add evidence of a second ground."),
    ),
    "malice": (
        _("one ground shows malice"),
        _("One of: asks for money, never bought, same text elsewhere, competitor, flagged by the platform."),
    ),
    "evidence_dated": (
        _("every ground has a file with hash and time"),
        _("Add a screenshot or document to each ground."),
    ),
    "case_number": (_("the platform's number is known"), _("File it at the platform and enter its number.")),
    "within_window": (
        _("within the platform's time for appeals"),
        _("It is too late for this platform. Answer in public instead."),
    ),
    "appeals_left": (_("no more than two appeals"), _("Two were filed. Answer in public instead.")),
    "seen_better": (
        _("a later import showed more stars or a kind follow-up"),
        _("Import the reviews anew. Only what was seen counts."),
    ),
    "unseen": (
        _("missing in a complete list"),
        _("Import a complete list of this store and period first; missing in any other file proves nothing."),
    ),
    "by_person": (_("a person has looked"), _("Look at the platform yourself.")),
    "proof": (_("proof is attached"), _("Add a screenshot.")),
}


def what(code: str) -> str:
    """What must be true."""
    return str(GUARD_TEXTS[code][0])


def cure(code: str) -> str:
    """What to do where it is not."""
    return str(GUARD_TEXTS[code][1])
