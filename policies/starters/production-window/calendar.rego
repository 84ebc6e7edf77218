# Local time, and the moments at which local times come round. The same text stands in every
# starter that knows hours; each starter is complete by itself.
#
# Times of day are "HH:MM", days "mon" to "sun", moments "YYYY-MM-DDTHH:MM", all of them in
# `time_zone`. As texts they compare as times do, which needs no arithmetic across summer time.

package deploy.production_window

now := time.parse_rfc3339_ns(input.time)

local_moment := time.format([now, input.parameters.time_zone, "2006-01-02T15:04"])

local_time := substring(local_moment, 11, 5)

local_day := day_of(now)

day_of(moment) := substring(lower(time.weekday([moment, input.parameters.time_zone])), 0, 3)

in_hours(hours) if {
	local_day in hours.days
	hours.from <= local_time
	local_time < hours.until
}

# Where the hours begin and end within the next eight days.
turns_of(hours) := {moment |
	some ahead in numbers.range(-1, 8)
	noon := now + (ahead * day_length)
	day_of(noon) in hours.days
	date := time.format([noon, input.parameters.time_zone, "2006-01-02"])
	some clock in [hours.from, hours.until]
	some moment in moments_of(sprintf("%sT%s", [date, clock]))
}

# The moments a local time can mean. Where clocks are put forward or back within a day of it there
# are two; judging again once too often is harmless, once too late is not.
moments_of(local) := {time.parse_rfc3339_ns(sprintf("%s:00%s", [first_minute, offset])) |
	first_minute := without_24(local)
	near := time.parse_rfc3339_ns(sprintf("%s:00Z", [first_minute]))
	some shift in [-1, 1]
	offset := time.format([near + (shift * day_length), input.parameters.time_zone, "-07:00"])
}

# 24:00 is 00:00 of the next day.
without_24(local) := sprintf("%sT00:00", [next_date]) if {
	endswith(local, "T24:00")
	today := time.parse_rfc3339_ns(sprintf("%sT00:00:00Z", [substring(local, 0, 10)]))
	next_date := time.format([today + day_length, "UTC", "2006-01-02"])
}

without_24(local) := local if not endswith(local, "T24:00")

day_length := ((24 * 60) * 60) * 1000000000

rfc3339(moment) := time.format([moment, "UTC", "2006-01-02T15:04:05Z07:00"])

is_hours(hours) if {
	is_array(hours.days)
	every day in hours.days {
		day in {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	}
	regex.match(`^([01][0-9]|2[0-3]):[0-5][0-9]$`, hours.from)
	regex.match(`^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`, hours.until)
	hours.from < hours.until
}

is_moment(text) if regex.match(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$`, text)

time_readable if {
	is_string(input.time)
	is_string(input.parameters.time_zone)
}
