-- Secrets of links and form tokens, the one in use first.
SELECT value FROM link_secret ORDER BY id DESC LIMIT 4
