"""What alembic runs: the steps, on the connection and in the schema that ``take_steps`` gives it."""

from alembic import context

given = context.config.attributes
context.configure(connection=given["connection"], version_table_schema=given["schema"])
with context.begin_transaction():
    context.run_migrations()
