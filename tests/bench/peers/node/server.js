// What a team would write instead of squad-intake: Node's http and pg, a pool of 16, one transaction a request.
// One statement writes ticket and event, so a request costs one round trip. PORT, SQUAD_DB_URL.
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.SQUAD_DB_URL, max: 16 });
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const sha256 = (data) => createHash("sha256").update(data).digest();

const insert = {
  name: "insert",
  text: `WITH t AS (
      INSERT INTO squad.ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem, contract,
                                customer_ref, customer_name, customer_phone, customer_email)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
      ON CONFLICT (client_id, key_hash) DO NOTHING RETURNING id, created_at
    ), o AS (
      INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload, traceparent)
      SELECT 'ticket', id::text, 'squad.ticket.created.v1', $15::json, $16 FROM t
    ) SELECT created_at FROM t`,
};
const winner = {
  name: "winner",
  text: "SELECT id, ref, body_hash, created_at FROM squad.ticket WHERE client_id = $1 AND key_hash = $2",
};

const clients = new Map(
  (await pool.query("SELECT id, key_hash FROM squad.client WHERE revoked_at IS NULL")).rows.map((r) => [
    r.key_hash.toString("hex"),
    r.id,
  ]),
);

function uuid7() {
  const b = randomBytes(16);
  b.writeUIntBE(Date.now(), 0, 6);
  b[6] = (b[6] & 0x0f) | 0x70;
  b[8] = (b[8] & 0x3f) | 0x80;
  const h = b.toString("hex");
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

function makeRef() {
  let s = "";
  for (const b of randomBytes(10)) s += alphabet[b & 31];
  return `${s.slice(0, 5)}-${s.slice(5)}`;
}

const text = (v, most) => typeof v === "string" && v.length >= 1 && v.length <= most;
const optional = (v, most) => v === undefined || v === null || text(v, most);

function wrongField(t) {
  if (t === null || typeof t !== "object" || Array.isArray(t)) return "";
  const c = t.customer ?? {};
  if (!text(t.type, 64)) return "/type";
  if (!text(t.area, 16) || !/^[A-Za-z0-9 -]+$/.test(t.area)) return "/area";
  if (!text(t.problem, 4000)) return "/problem";
  if (!optional(t.source, 32)) return "/source";
  if (!optional(t.contract, 64)) return "/contract";
  if (!optional(c.ref, 64)) return "/customer/ref";
  if (!optional(c.name, 200)) return "/customer/name";
  if (!optional(c.phone, 32)) return "/customer/phone";
  if (!optional(c.email, 254)) return "/customer/email";
  return null;
}

function send(res, status, body, headers = {}) {
  const data = Buffer.from(JSON.stringify(body));
  res.writeHead(status, { "Content-Type": "application/json", "Content-Length": data.length, ...headers });
  res.end(data);
}

async function post(req, res, body) {
  const auth = req.headers.authorization ?? "";
  const client = auth.startsWith("Bearer ") ? clients.get(sha256(auth.slice(7)).toString("hex")) : undefined;
  if (client === undefined) return send(res, 401, { title: "unauthorized" });
  const key = req.headers["idempotency-key"];
  if (!key) return send(res, 400, { title: "Idempotency-Key is required" });
  let t;
  try {
    t = JSON.parse(body);
  } catch {
    return send(res, 400, { title: "not JSON" });
  }
  const wrong = wrongField(t);
  if (wrong !== null) return send(res, 422, { title: "validation", errors: [{ pointer: wrong }] });
  const id = uuid7();
  const ref = makeRef();
  const keyHash = sha256(key).subarray(0, 16);
  const bodyHash = sha256(body);
  const c = t.customer ?? {};
  const source = t.source ?? "web";
  const event = { ticket_id: id, ref, type: t.type, area: t.area, source, created_at: new Date().toISOString() };
  const trace = `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`;
  const { rows } = await pool.query({
    ...insert,
    values: [id, ref, client, keyHash, bodyHash, source, t.type, t.area.trim().toUpperCase(), t.problem, t.contract ?? null,
             c.ref ?? null, c.name ?? null, c.phone ?? null, c.email ?? null, JSON.stringify(event), trace],
  });
  if (rows.length === 1)
    return send(res, 201, { ref, id, state: "received", created_at: rows[0].created_at }, { Location: `/v1/tickets/${ref}` });
  const first = (await pool.query({ ...winner, values: [client, keyHash] })).rows[0];
  if (!first.body_hash.equals(bodyHash)) return send(res, 422, { title: "key reused" });
  return send(res, 201, { ref: first.ref, id: first.id, state: "received", created_at: first.created_at });
}

const server = http.createServer((req, res) => {
  if (req.method !== "POST" || req.url !== "/v1/tickets") return send(res, 404, { title: "not found" });
  const chunks = [];
  let size = 0;
  req.on("data", (chunk) => {
    size += chunk.length;
    if (size > 65536) req.destroy();
    else chunks.push(chunk);
  });
  req.on("end", () => {
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    post(req, res, body).catch(() => send(res, 503, { title: "unavailable" }, { "Retry-After": "1" }));
  });
});
server.keepAliveTimeout = 60000;
server.listen(Number(process.env.PORT), "127.0.0.1", 4096);
