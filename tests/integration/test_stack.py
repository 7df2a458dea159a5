from cluster.connection import Connection
from cluster.local import LocalStack


def test_commands_find_the_running_stack_by_themselves(stack: LocalStack, connection: Connection) -> None:
    assert Connection.discover() == connection
