// What a team would write instead of squad-intake: Go's net/http and pgx, a pool of 16, one transaction a request.
// One statement writes ticket and event, so a request costs one round trip. PORT, SQUAD_DB_URL.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const insert = `WITH t AS (
    INSERT INTO squad.ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem, contract,
                              customer_ref, customer_name, customer_phone, customer_email)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (client_id, key_hash) DO NOTHING RETURNING id, created_at
), o AS (
    INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload, traceparent)
    SELECT 'ticket', id::text, 'squad.ticket.created.v1', $15::json, $16 FROM t
) SELECT created_at FROM t`

const winner = `SELECT id, ref, body_hash, created_at FROM squad.ticket WHERE client_id = $1 AND key_hash = $2`

type customer struct {
	Ref   *string `json:"ref"`
	Name  *string `json:"name"`
	Phone *string `json:"phone"`
	Email *string `json:"email"`
}

type ticket struct {
	Type     string   `json:"type"`
	Area     string   `json:"area"`
	Problem  string   `json:"problem"`
	Source   string   `json:"source"`
	Contract *string  `json:"contract"`
	Customer customer `json:"customer"`
}

type event struct {
	TicketID  uuid.UUID `json:"ticket_id"`
	Ref       string    `json:"ref"`
	Type      string    `json:"type"`
	Area      string    `json:"area"`
	Source    string    `json:"source"`
	CreatedAt time.Time `json:"created_at"`
}

type answer struct {
	Ref       string    `json:"ref"`
	ID        uuid.UUID `json:"id"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
}

type server struct {
	pool    *pgxpool.Pool
	clients map[[32]byte]int32
}

var areaRule = regexp.MustCompile(`^[A-Za-z0-9 -]{1,16}$`)

func fits(s string, most int) bool {
	n := utf8.RuneCountInString(s)
	return n >= 1 && n <= most
}

func optional(s *string, most int) bool {
	return s == nil || fits(*s, most)
}

func (t *ticket) wrong() string {
	switch {
	case !fits(t.Type, 64):
		return "/type"
	case !areaRule.MatchString(t.Area):
		return "/area"
	case !fits(t.Problem, 4000):
		return "/problem"
	case !fits(t.Source, 32):
		return "/source"
	case !optional(t.Contract, 64):
		return "/contract"
	case !optional(t.Customer.Ref, 64):
		return "/customer/ref"
	case !optional(t.Customer.Name, 200):
		return "/customer/name"
	case !optional(t.Customer.Phone, 32):
		return "/customer/phone"
	case !optional(t.Customer.Email, 254):
		return "/customer/email"
	}
	return ""
}

func makeRef() string {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	var b [10]byte
	rand.Read(b[:])
	s := make([]byte, 0, 11)
	for i, x := range b {
		if i == 5 {
			s = append(s, '-')
		}
		s = append(s, alphabet[x&31])
	}
	return string(s)
}

func traceparent() string {
	var b [24]byte
	rand.Read(b[:])
	return "00-" + hex.EncodeToString(b[:16]) + "-" + hex.EncodeToString(b[16:]) + "-01"
}

func problem(w http.ResponseWriter, status int, title, pointer string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"title": title, "pointer": pointer})
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	client, known := s.clients[sha256.Sum256([]byte(token))]
	if !ok || !known {
		problem(w, http.StatusUnauthorized, "unauthorized", "")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		problem(w, http.StatusBadRequest, "Idempotency-Key is required", "")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 65536))
	if err != nil {
		problem(w, http.StatusRequestEntityTooLarge, "too large", "")
		return
	}
	t := ticket{Source: "web"}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&t); err != nil {
		problem(w, http.StatusBadRequest, "not JSON", "")
		return
	}
	if pointer := t.wrong(); pointer != "" {
		problem(w, http.StatusUnprocessableEntity, "validation", pointer)
		return
	}
	id, err := uuid.NewV7()
	if err != nil {
		problem(w, http.StatusServiceUnavailable, "unavailable", "")
		return
	}
	ref, area := makeRef(), strings.ToUpper(strings.TrimSpace(t.Area))
	keyHash, bodyHash := sha256.Sum256([]byte(key)), sha256.Sum256(body)
	payload, _ := json.Marshal(event{id, ref, t.Type, area, t.Source, time.Now().UTC()})
	a := answer{Ref: ref, ID: id, State: "received"}
	c := t.Customer
	err = s.pool.QueryRow(r.Context(), insert, id, ref, client, keyHash[:16], bodyHash[:], t.Source, t.Type, area, t.Problem,
		t.Contract, c.Ref, c.Name, c.Phone, c.Email, string(payload), traceparent()).Scan(&a.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		var hash []byte
		err = s.pool.QueryRow(r.Context(), winner, client, keyHash[:16]).Scan(&a.ID, &a.Ref, &hash, &a.CreatedAt)
		if err == nil && !bytes.Equal(hash, bodyHash[:]) {
			problem(w, http.StatusUnprocessableEntity, "key reused", "")
			return
		}
	}
	if err != nil {
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "unavailable", "")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", "/v1/tickets/"+a.Ref)
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(a)
}

func main() {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig(os.Getenv("SQUAD_DB_URL"))
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns, config.MinConns = 16, 16
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{pool: pool, clients: map[[32]byte]int32{}}
	rows, err := pool.Query(ctx, "SELECT id, key_hash FROM squad.client WHERE revoked_at IS NULL")
	if err != nil {
		log.Fatal(err)
	}
	for rows.Next() {
		var id int32
		var hash []byte
		if err := rows.Scan(&id, &hash); err != nil {
			log.Fatal(err)
		}
		s.clients[[32]byte(hash)] = id
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/tickets", s.post)
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
