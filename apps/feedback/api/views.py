"""Feedback in, out, and moved."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework import status as http
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.batches import items_of, raise_refused, summary
from apps.core.api.errors import NotVisible
from apps.core.api.idempotency import idempotent
from apps.core.api.schema import IDEMPOTENCY_KEY
from apps.core.api.views import ApiView, page_of, rows_for
from apps.core.services.tokens import note_whole_read
from apps.feedback.api import answers
from apps.feedback.api.filters import FeedbackFilter
from apps.feedback.api.intake import results, take
from apps.feedback.api.moving import move
from apps.feedback.api.serializers import FeedbackIn, FeedbackOut, MoveIn, TakenBatch, TakenOut, TriageIn
from apps.feedback.api.triage import values_of
from apps.feedback.models import Feedback
from apps.feedback.querysets import FeedbackQuerySet
from apps.feedback.services import moves
from apps.feedback.services.intake import take_in


class FeedbackView(ApiView):
    """What is shared: which rows a token sees and how they are shown."""

    # Only the document reads it; every method names what it takes and gives.
    serializer_class: type[serializers.Serializer] = FeedbackOut
    queryset = Feedback.objects.none()

    def rows(self) -> FeedbackQuerySet:
        """The feedback this token may see."""
        return rows_for(self.token, Feedback.objects.all())

    def one(self, pk: int) -> Feedback:
        """One visible case with all it shows; raises NotVisible."""
        row = answers.with_all(self.rows()).filter(pk=pk).first()
        if row is None:
            raise NotVisible()
        return row

    def shown(self, rows: list[Feedback]) -> list[dict[str, Any]]:
        """The rows as dictionaries. Showing personal data whole leaves a log row."""
        whole = self.sees_whole
        if whole:
            note_whole_read(
                token=self.token,
                model="feedback.feedback",
                ids=[row.pk for row in rows],
                via=self.via,
                now=timezone.now(),
            )
        return [answers.full(row, whole=whole) for row in rows]


class FeedbackList(FeedbackView):
    """`feedback/`"""

    scopes = {"GET": "feedback:read", "POST": "feedback:write"}
    filterset_class = FeedbackFilter

    @extend_schema(
        operation_id="feedback_list",
        summary="List feedback, newest first",
        responses=FeedbackOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """Newest first; personal data masked unless the token has customers:unmask."""
        page = page_of(self, answers.with_all(self.rows()))
        return self.get_paginated_response(self.shown(page))

    @extend_schema(
        operation_id="feedback_create",
        summary="Take one feedback in",
        request=FeedbackIn,
        parameters=[IDEMPOTENCY_KEY],
        responses={201: TakenOut, 200: TakenOut},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """201 when it is new; 200 when it is known, unchanged or as a later version of the same review."""
        ((outcome, errors, ignored),) = take(
            [request.data], partial(take_in, source="api", now=timezone.now()), token=self.token
        )
        if outcome is None:
            # Shape errors are 400 with every field, rules 422 with their code.
            FeedbackIn().run_validation(request.data)
        if errors or outcome is None or outcome.feedback_id is None:
            raise_refused(errors)
            raise AssertionError
        body = answers.taken([outcome.feedback_id])[outcome.feedback_id]
        return Response(
            body | {"outcome": outcome.state, "ignored": ignored},
            status=http.HTTP_201_CREATED if outcome.state == "created" else http.HTTP_200_OK,
        )


class FeedbackBulk(FeedbackView):
    """`feedback/bulk/`"""

    scopes = {"POST": "feedback:write"}
    filter_backends = ()

    @extend_schema(
        operation_id="feedback_bulk",
        summary="Take up to 1,000 feedback in",
        description='A bare list or {"items": [...]}. One bad item does not sink the others.',
        request=FeedbackIn(many=True),
        parameters=[IDEMPOTENCY_KEY],
        responses=TakenBatch,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Always 200; each item has its own line in `results`."""
        rows = take(
            items_of(request.data), partial(take_in, source="api", now=timezone.now()), token=self.token
        )
        return Response(summary(results(rows)))


class FeedbackOne(FeedbackView):
    """`feedback/{id}/`"""

    scopes = {"GET": "feedback:read", "PATCH": "feedback:write"}
    filter_backends = ()
    pagination_class = None

    @extend_schema(operation_id="feedback_read", summary="One feedback", responses=FeedbackOut)
    def get(self, request: Request, pk: int) -> Response:
        """404 also when it belongs to a store the token does not serve."""
        return Response(self.shown([self.one(pk)])[0])

    @extend_schema(
        operation_id="feedback_correct",
        summary="Put the reading right",
        request=TriageIn,
        responses=FeedbackOut,
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Triage fields only; anything else is refused and nothing is changed."""
        values = values_of(request.data)
        moves.correct(feedback=self.one(pk), values=values, by=None, now=timezone.now(), via=self.via)
        return Response(self.shown([self.one(pk)])[0])


class FeedbackMoves(FeedbackView):
    """`feedback/{id}/moves/`"""

    scopes = {"POST": "feedback:move"}
    filter_backends = ()
    pagination_class = None

    @extend_schema(
        operation_id="feedback_move",
        summary="Do one move with a case",
        request=MoveIn,
        parameters=[IDEMPOTENCY_KEY],
        responses=FeedbackOut,
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """The case as it is afterwards. 409 when the move is not possible now or somebody else was first."""
        serializer = MoveIn(data=request.data)
        serializer.is_valid(raise_exception=True)
        row = self.one(pk)
        move(row, serializer.validated_data, rows=self.rows(), via=self.via, now=timezone.now())
        return Response(self.shown([self.one(pk)])[0])
