"""The macros that comparing values needs, laid into a session once.

``plain_number``: one text for each number, ``1.50``, ``01.5`` and ``15e-1`` alike, with all digits that it has; other
texts stay others. ``said_moment``: the moment that a text says; where it names no zone, UTC is meant. ``micros_said``:
the same in microseconds since 1970, with what is below one. ``moment_of``: that of a number, which counts by its size
seconds, milliseconds, microseconds or nanoseconds.
"""

MACROS = r"""
    CREATE OR REPLACE TEMP MACRO shortest_digits(x) AS
        coalesce(nullif(ltrim(split_part(x, '.', 1), '0'), ''), '0')
        || CASE WHEN rtrim(split_part(x, '.', 2), '0') = '' THEN '' ELSE '.' || rtrim(split_part(x, '.', 2), '0') END;
    CREATE OR REPLACE TEMP MACRO sign_of(x) AS CASE WHEN regexp_matches(x, '^-[0.]*[1-9]') THEN '-' ELSE '' END;
    CREATE OR REPLACE TEMP MACRO without_exponent(whole, fraction, exponent) AS
        CASE WHEN exponent >= 0 THEN whole || rpad(fraction, exponent, '0') || '.' || substr(fraction, exponent + 1)
             ELSE substr(lpad(whole, CAST(length(whole) - exponent AS INTEGER), '0'), 1, length(whole)) || '.'
                  || substr(lpad(whole, CAST(length(whole) - exponent AS INTEGER), '0'), length(whole) + 1)
                  || fraction END;
    -- A macro writes its argument wherever it uses it, and those of macros multiply: planning took 0.4 s for each
    -- column. A lambda has a name for it.
    CREATE OR REPLACE TEMP MACRO digits_with_exponent(x) AS
        list_transform([str_split(replace(lower(ltrim(x, '+-')), '.', 'e.'), 'e')], lambda parts:
            list_transform([{'whole': parts[1],
                             'fraction': ltrim(CASE WHEN len(parts) = 3 THEN parts[2] ELSE '' END, '.'),
                             'exponent': TRY_CAST(parts[-1] AS INTEGER)}], lambda part:
                list_transform([without_exponent(struct_extract(part, 'whole'), struct_extract(part, 'fraction'),
                                                 struct_extract(part, 'exponent'))], lambda digits:
                    shortest_digits(digits))[1])[1])[1];
    CREATE OR REPLACE TEMP MACRO plain_number(x) AS
        list_transform([trim(x)], lambda text:
            CASE WHEN regexp_full_match(text, '[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)')
                 THEN sign_of(text) || shortest_digits(ltrim(text, '+-'))
                 WHEN regexp_full_match(text, '[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]{1,3}')
                 THEN sign_of(text) || digits_with_exponent(text)
                 ELSE '?' || x END)[1];
    CREATE OR REPLACE TEMP MACRO moment_of(x) AS
        CASE WHEN abs(x) < 100000000000 THEN TRY(make_timestamp(CAST(round(x * 1000000) AS BIGINT)))
             WHEN abs(x) < 100000000000000 THEN TRY(make_timestamp(CAST(round(x * 1000) AS BIGINT)))
             WHEN abs(x) < 100000000000000000 THEN TRY(make_timestamp(CAST(round(x) AS BIGINT)))
             WHEN x % 1000 = 0 THEN TRY(make_timestamp(CAST(x // 1000 AS BIGINT))) END;
    CREATE OR REPLACE TEMP MACRO said_moment(x) AS CAST(TRY_CAST(x AS TIMESTAMPTZ) AS TIMESTAMP);
    CREATE OR REPLACE TEMP MACRO micros_said(x) AS
        CAST(epoch_us(said_moment(x)) AS DECIMAL(38, 9))
        + coalesce(TRY_CAST('0.' || nullif(regexp_extract(x, '\.[0-9]{6}([0-9]{1,3})', 1), '') AS DECIMAL(4, 3)), 0);
    CREATE OR REPLACE TEMP MACRO floor_of(x, step) AS (x - ((x % step) + step) % step) // step;
"""
