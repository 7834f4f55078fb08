-- Shifts of the days ahead, from the working weeks.
SELECT shifts_extend()
