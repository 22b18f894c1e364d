// SPDX-License-Identifier: MIT
//
// peers: Go's net: go echo|pipelined|broadcast|feed|accept, go file FILE, or go timers COUNT. A goroutine a connection, as
// its users write them; buffered output is flushed when no more input is at hand.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

const message = 64

func echo(conn net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		conn.Write(buf[:n])
	}
}

func answerEach(conn net.Conn) {
	in, out := bufio.NewReaderSize(conn, 16<<10), bufio.NewWriterSize(conn, 16<<10)
	buf := make([]byte, message)
	for {
		if _, err := io.ReadFull(in, buf); err != nil {
			return
		}
		out.Write(buf)
		if in.Buffered() < message {
			out.Flush()
		}
	}
}

var room = struct {
	sync.Mutex
	people map[net.Conn]bool
}{people: map[net.Conn]bool{}}

func say(data []byte) {
	room.Lock()
	defer room.Unlock()
	for conn := range room.people {
		conn.Write(data)
	}
}

func enter(conn net.Conn) {
	room.Lock()
	room.people[conn] = true
	room.Unlock()
}

func broadcast(conn net.Conn) {
	buf := make([]byte, 16<<10)
	n, err := conn.Read(buf)
	for err == nil {
		say(buf[:n])
		n, err = conn.Read(buf)
	}
	room.Lock()
	delete(room.people, conn)
	room.Unlock()
}

func produce(out chan<- []byte, stop <-chan struct{}) {
	buf := make([]byte, message)
	for {
		select {
		case out <- buf:
		case <-stop:
			return
		}
	}
}

// One goroutine owns the connection's output and gathers what the others queue.
func write(conn net.Conn, in <-chan []byte, stop <-chan struct{}) {
	out := bufio.NewWriterSize(conn, 64<<10)
	for {
		select {
		case data := <-in:
			out.Write(data)
			if len(in) == 0 {
				out.Flush()
			}
		case <-stop:
			return
		}
	}
}

func feed(conn net.Conn) {
	one := make([]byte, 1)
	if _, err := conn.Read(one); err != nil {
		return
	}
	queue, stop := make(chan []byte, 1<<20/message), make(chan struct{})
	for i := 0; i < int(one[0]); i++ {
		go produce(queue, stop)
	}
	go write(conn, queue, stop)
	conn.Read(one)
	close(stop)
}

func nothing(conn net.Conn) {
}

func sendFile(path string) func(net.Conn) {
	return func(conn net.Conn) {
		file, err := os.Open(path)
		if err != nil {
			return
		}
		defer file.Close()
		io.Copy(conn, file)
	}
}

// Each connection is entered in the order of the accepts, and handled in a goroutine of its own.
func serve(enter, handle func(net.Conn)) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "go:", err)
		os.Exit(1)
	}
	fmt.Println("listening on", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			continue
		}
		enter(conn)
		go func() {
			handle(conn)
			conn.Close()
		}()
	}
}

// As bench_timers() in common/bench.h.
func measureTimers(count int) {
	timers := make([]*time.Timer, count)
	arm := func(i, late int) {
		due := time.Duration(60000+(i+late)*7919%600000) * time.Millisecond
		timers[i] = time.AfterFunc(due, func() {})
	}
	each := func(do func(i int)) float64 {
		start := time.Now()
		for i := range timers {
			do(i)
		}
		return float64(time.Since(start).Nanoseconds()) / float64(count)
	}
	first := func(i int) { arm(i, 0) }
	stop := func(i int) { timers[i].Stop() }
	cold := each(first)
	pair := each(func(i int) { stop(i); arm(i, 1) })
	cold += each(stop)
	armed, cancelled := each(first), each(stop)
	fmt.Printf("{\"pair\": %.2f, \"arm\": %.2f, \"cancel\": %.2f, \"cold\": %.2f}\n", pair, armed, cancelled, cold)
}

func main() {
	modes := map[string]struct{ enter, handle func(net.Conn) }{
		"echo":      {nothing, echo},
		"pipelined": {nothing, answerEach},
		"broadcast": {enter, broadcast},
		"feed":      {nothing, feed},
		"accept":    {nothing, nothing},
	}
	if len(os.Args) == 3 && os.Args[1] == "file" {
		serve(nothing, sendFile(os.Args[2]))
	}
	if len(os.Args) == 3 && os.Args[1] == "timers" {
		if count, err := strconv.Atoi(os.Args[2]); err == nil && count > 0 {
			measureTimers(count)
			return
		}
	}
	if len(os.Args) == 2 {
		if mode, ok := modes[os.Args[1]]; ok {
			serve(mode.enter, mode.handle)
		}
	}
	fmt.Fprintln(os.Stderr, "usage: go echo|pipelined|broadcast|feed|accept|file FILE|timers COUNT")
	os.Exit(2)
}
