-- src/office/holiday.sql: days on which the office is closed.

CREATE TABLE wa.holiday (
    day  date NOT NULL,
    name text NOT NULL,
    CONSTRAINT holiday_pkey PRIMARY KEY (day),
    CONSTRAINT holiday_day_check CHECK (isfinite(day))
);
COMMENT ON TABLE wa.holiday IS 'public holidays and days of collective leave (cuti bersama): scenarios with sending hours or weekdays send nothing then; wa_set_holidays() writes and checks them';
COMMENT ON COLUMN wa.holiday.day IS 'in the office''s time zone';
COMMENT ON COLUMN wa.holiday.name IS 'as wa_why() tells it';

