"""OpenTelemetry's protocol, OTLP 1.x, taken in: bytes to spans and scores, in two steps.

    protobuf_body, json_body    bytes -> raw spans and log records, exactly as they were sent
    conventions/                whose attribute names they are: one file a convention, all map to the same columns
    mapping, judgements         raw span -> Span, evaluation events -> Score
    large                       contents too large for a record -> blobs
    problems                    what was refused or repaired, and why
    answers                     the bytes that OTLP wants back

Nothing here does I/O or reads a clock; where blobs go and what time it is are handed in.

Source: https://opentelemetry.io/docs/specs/otlp/
"""
