"""From an empty installation to a shop that is live, step by step."""
