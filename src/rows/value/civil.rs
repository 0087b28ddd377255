//! Dates and days: the proleptic Gregorian calendar as PostgreSQL keeps it.
//!
//! Owns the conversion from a date to days since 1970-01-01. Never knows zones.

pub const MS_PER_DAY: i64 = 86_400_000;

/// Days since 1970-01-01. Year 0 is 1 BC. The month is 1 to 12, the day 1 to 31.
#[inline]
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last of its year; 400 years repeat.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    era * 146_097 + day_of_era - 719_468
}

/// Days of a month. Year 0 is 1 BC.
#[inline]
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0
            && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) =>
        {
            29
        }
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_agree_with_jiff_over_all_its_years() {
        let epoch = jiff::civil::date(1970, 1, 1);
        let mut date = jiff::civil::date(-9998, 1, 1);
        while date.year() < 9990 {
            let days = date
                .since((jiff::Unit::Day, epoch))
                .expect("both are dates")
                .get_days();
            let (year, month, day) = (date.year(), date.month(), date.day());
            assert_eq!(
                days_from_civil(year.into(), month.into(), day.into()),
                i64::from(days),
                "{date}"
            );
            assert_eq!(
                days_in_month(year.into(), month.into()),
                i64::from(date.days_in_month())
            );
            date = date
                .checked_add(jiff::Span::new().days(97))
                .expect("within jiff's years");
        }
    }
}
