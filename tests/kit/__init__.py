"""What tests share: waiting, topics, Kafka, commands, the stack of the session, and how deep to look."""
