-- Format 5: the format of the values that name a schema. Until then there was one.

ALTER TABLE schema_versions ADD COLUMN format VARCHAR DEFAULT 'avro';
