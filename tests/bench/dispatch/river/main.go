// River as a job queue for tickets: drains JOBS jobs and prints the rate.
//
//	river empty|plain JOBS WORKERS
//
// empty: the job does nothing, so the rate is the queue's own. plain: the job finds an expert in the
// tables of plain.sql and completes itself in the same transaction.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

type ticketArgs struct {
	Ticket string `json:"ticket"`
	Prefix string `json:"prefix"`
	Skill  string `json:"skill"`
}

func (ticketArgs) Kind() string { return "ticket" }

const assign = `
WITH best AS (
    SELECT id FROM plain.expert
     WHERE areas @> ARRAY[$2::text] AND skills @> ARRAY[$3::text] AND load < capacity
     ORDER BY load, idle_since, id LIMIT 1 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE plain.expert e SET load = load + 1 FROM best WHERE e.id = best.id RETURNING e.id
), moved AS (
    UPDATE plain.ticket SET state = 'assigned' WHERE id = $1::uuid AND EXISTS (SELECT FROM taken)
)
INSERT INTO plain.assignment (ticket_id, expert_id) SELECT $1::uuid, id FROM taken`

type worker struct {
	river.WorkerDefaults[ticketArgs]
	pool *pgxpool.Pool
	work bool
	done atomic.Int64
}

func (w *worker) Work(ctx context.Context, job *river.Job[ticketArgs]) error {
	if w.work {
		tx, err := w.pool.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx)
		if _, err = tx.Exec(ctx, assign, job.Args.Ticket, job.Args.Prefix, job.Args.Skill); err != nil {
			return err
		}
		if _, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
			return err
		}
		if err = tx.Commit(ctx); err != nil {
			return err
		}
	}
	w.done.Add(1)
	return nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fill(ctx context.Context, pool *pgxpool.Pool, client *river.Client[pgx.Tx], jobs int) {
	rows, err := pool.Query(ctx, "SELECT id::text, left(area, 3), 's' || substr(type, 2) FROM plain.ticket ORDER BY priority, created_at LIMIT $1", jobs)
	check(err)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ticketArgs])
	check(err)
	params := make([]river.InsertManyParams, len(all))
	for i, a := range all {
		params[i] = river.InsertManyParams{Args: a}
	}
	for len(params) > 0 {
		n := min(len(params), 5000)
		_, err = client.InsertManyFast(ctx, params[:n])
		check(err)
		params = params[n:]
	}
	_, err = pool.Exec(ctx, "VACUUM (ANALYZE) river_job")
	check(err)
	_, err = pool.Exec(ctx, "CHECKPOINT")
	check(err)
}

func main() {
	ctx := context.Background()
	jobs, err := strconv.Atoi(os.Args[2])
	check(err)
	workers, err := strconv.Atoi(os.Args[3])
	check(err)
	pool, err := pgxpool.New(ctx, os.Getenv("SQUAD_DB"))
	check(err)
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, nil)
	check(err)
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	check(err)
	_, err = pool.Exec(ctx, "TRUNCATE river_job")
	check(err)
	w := &worker{pool: pool, work: os.Args[1] == "plain"}
	all := river.NewWorkers()
	river.AddWorker(all, w)
	client, err := river.NewClient(driver, &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers, FetchCooldown: time.Millisecond, FetchPollInterval: 10 * time.Millisecond}},
		Workers: all,
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	check(err)
	fill(ctx, pool, client, jobs)
	start := time.Now()
	check(client.Start(ctx))
	for w.done.Load() < int64(jobs) {
		time.Sleep(time.Millisecond)
	}
	// Done is done when the table says so.
	for open := 1; open > 0; time.Sleep(time.Millisecond) {
		check(pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&open))
	}
	took := time.Since(start).Seconds()
	check(client.Stop(ctx))
	fmt.Printf("jobs=%d workers=%d took_s=%.3f rate=%.0f\n", jobs, workers, took, float64(jobs)/took)
}
