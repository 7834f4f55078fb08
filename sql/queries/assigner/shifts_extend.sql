-- Shifts of the days ahead, from the working weeks, of at most $2 experts behind number $1. Last: null, there are no more.
SELECT last, held FROM shifts_extend($1::integer, $2::integer)
