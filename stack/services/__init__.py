"""The services of the local stack, one file each: ``service.py`` says what a service is, the others describe theirs."""
