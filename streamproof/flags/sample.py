"""The flags of the AWS sample producer, and what they are called here: for who brings a command line of it."""

from __future__ import annotations

from producer.scenarios.find import OPTIONS

_HERE = {
    ("-t",): "--topic",
    ("--propertiesFilePath", "-pfp"): "--properties",
    ("--numThreads", "-nt"): "--shards",
    ("--runFor", "-rf"): "--seconds",
    ("--sslEnable", "-ssl"): "--ssl",
    ("--mTLSEnable", "-mtls"): "--mtls",
    ("--nologgingEvents", "-nle"): "not needed: no log is written without --event-log",
    ("--saslscramEnable", "-sse", "-ssu"): "in the settings sasl_*, or in --properties",
    ("-h",): "--help",
}
_DECLARED = {
    option.formerly: option.flag or f"-o {option.name}" for declared in OPTIONS.values() for option in declared
}
SAMPLE_FLAGS = {name.lower(): here for names, here in (_HERE | _DECLARED).items() for name in names}


def counterparts(arguments: list[str]) -> list[str]:
    """Return what each flag of the sample producer in a command line is here, in words; each once."""
    given = dict.fromkeys(argument.partition("=")[0] for argument in arguments if argument.startswith("-"))
    return [f"{flag} is {SAMPLE_FLAGS[flag.lower()]}" for flag in given if flag.lower() in SAMPLE_FLAGS]
