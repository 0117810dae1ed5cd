# One image for web, worker, scheduler and commands; see compose.yaml and docs/how-to/deploy.md.
FROM python:3.12-slim
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 VAR_DIR=/var/lib/feedback_crm
WORKDIR /srv/feedback_crm
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt \
    && useradd --system --home-dir /var/lib/feedback_crm --create-home crm
COPY manage.py ./
COPY feedback_crm feedback_crm
COPY apps apps
COPY templates templates
COPY static static
COPY locale locale
USER crm
VOLUME /var/lib/feedback_crm
EXPOSE 8000
CMD ["gunicorn", "feedback_crm.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4"]
