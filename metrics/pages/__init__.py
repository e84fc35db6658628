"""Pages for staff beside the admin's own: history and live."""
