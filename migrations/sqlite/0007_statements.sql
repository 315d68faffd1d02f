-- Triggers of SQLite see one row at a time, and what the Postgres step of this number changes stays here as it is.
SELECT 1;
