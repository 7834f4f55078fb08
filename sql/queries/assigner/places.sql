-- Where postcodes are.
SELECT prefix, lat, lon FROM place ORDER BY prefix
