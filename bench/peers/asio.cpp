// SPDX-License-Identifier: MIT
//
// peers: Asio: asio echo|pipelined|broadcast|feed|accept, or asio timers COUNT. As its own echo and chat examples are: a
// shared session, a queue of messages, one asynchronous write at a time; other threads post to the io_context.
#include <asio.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using asio::ip::tcp;

namespace
{

constexpr std::size_t MESSAGE = 64, PIECE = 64 << 10, PENDING_MAX = (1 << 20) / MESSAGE;

asio::io_context context(1);

class session;
std::set<std::shared_ptr<session>> room;

class session : public std::enable_shared_from_this<session>
{
  public:
    using handler = void (*)(session &, std::size_t);

    session(tcp::socket socket, handler on_data) : socket_(std::move(socket)), on_data_(on_data)
    {
        socket_.set_option(tcp::no_delay(true));
    }

    void start()
    {
        room.insert(shared_from_this());
        read();
    }

    void read()
    {
        auto self = shared_from_this();
        socket_.async_read_some(asio::buffer(data_.get(), PIECE), [this, self](std::error_code error, std::size_t len) {
            if (error)
                stop();
            else
                on_data_(*this, len);
        });
    }

    // Sends what has been read, and reads on when that is done.
    void echo(std::size_t len)
    {
        auto self = shared_from_this();
        asio::async_write(socket_, asio::buffer(data_.get(), len), [this, self](std::error_code error, std::size_t) {
            if (error)
                stop();
            else
                read();
        });
    }

    void deliver(std::shared_ptr<std::string> message)
    {
        bool idle = queue_.empty();
        queue_.push_back(std::move(message));
        if (idle)
            write();
    }

    void feed(int count)
    {
        over_ = false;
        for (int i = 0; i < count; i++)
            threads_.emplace_back([this] { produce(); });
    }

    char *data()
    {
        return data_.get();
    }

  private:
    void write()
    {
        auto self = shared_from_this();
        asio::async_write(socket_, asio::buffer(*queue_.front()), [this, self](std::error_code error, std::size_t) {
            if (error)
                return stop();
            queue_.pop_front();
            pending_--;
            if (!queue_.empty())
                write();
        });
    }

    void produce()
    {
        auto message = std::make_shared<std::string>(MESSAGE, '\0');
        while (!over_) {
            if (pending_ >= static_cast<long>(PENDING_MAX)) {
                usleep(50);
                continue;
            }
            pending_++;
            asio::post(context, [self = shared_from_this(), message] { self->deliver(message); });
        }
    }

    void stop()
    {
        over_ = true;
        for (auto &thread : threads_)
            thread.join();
        threads_.clear();
        room.erase(shared_from_this());
    }

    tcp::socket socket_;
    handler on_data_;
    std::unique_ptr<char[]> data_{new char[PIECE]};
    std::deque<std::shared_ptr<std::string>> queue_;
    std::atomic<bool> over_{true};
    std::atomic<long> pending_{0};
    std::vector<std::thread> threads_;
};

void echo(session &conn, std::size_t len)
{
    conn.echo(len);
}

void answer_each(session &conn, std::size_t len)
{
    for (std::size_t at = 0; at + MESSAGE <= len; at += MESSAGE)
        conn.deliver(std::make_shared<std::string>(conn.data() + at, MESSAGE));
    conn.read();
}

void say(session &conn, std::size_t len)
{
    auto message = std::make_shared<std::string>(conn.data(), len);
    for (auto &other : room)
        other->deliver(message);
    conn.read();
}

void start_feed(session &conn, std::size_t)
{
    conn.feed(conn.data()[0]);
    conn.read();
}

void accept(tcp::acceptor &acceptor, session::handler on_data)
{
    acceptor.async_accept([&acceptor, on_data](std::error_code error, tcp::socket socket) {
        if (!error && on_data)
            std::make_shared<session>(std::move(socket), on_data)->start();
        accept(acceptor, on_data);
    });
}

int serve(session::handler on_data)
{
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    std::printf("listening on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
    std::fflush(stdout);
    accept(acceptor, on_data);
    context.run();
    return 0;
}

double each(std::chrono::steady_clock::time_point start, long count)
{
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() /
           static_cast<double>(count);
}

void arm(asio::steady_timer &timer, long i)
{
    timer.expires_after(std::chrono::milliseconds(60000 + i * 7919 % 600000));
    timer.async_wait([](std::error_code) {});
}

double arm_all(std::deque<asio::steady_timer> &timers, long count)
{
    long i = 0;
    auto start = std::chrono::steady_clock::now();
    for (auto &timer : timers)
        arm(timer, i++);
    return each(start, count);
}

double replace_all(std::deque<asio::steady_timer> &timers, long count)
{
    long i = 0;
    auto start = std::chrono::steady_clock::now();
    for (auto &timer : timers) {
        timer.cancel();
        arm(timer, ++i);
    }
    return each(start, count);
}

double cancel_all(std::deque<asio::steady_timer> &timers, long count)
{
    auto start = std::chrono::steady_clock::now();
    for (auto &timer : timers)
        timer.cancel();
    double took = each(start, count);
    context.restart();
    context.poll(); // the cancelled waits
    return took;
}

// As bench_timers() in common/bench.h; the timers are made before.
int measure_timers(long count)
{
    std::deque<asio::steady_timer> timers;
    for (long i = 0; i < count; i++)
        timers.emplace_back(context);
    double cold = arm_all(timers, count);
    double pair = replace_all(timers, count);
    cold += cancel_all(timers, count);
    double armed = arm_all(timers, count), cancelled = cancel_all(timers, count);
    std::printf("{\"pair\": %.2f, \"arm\": %.2f, \"cancel\": %.2f, \"cold\": %.2f}\n", pair, armed, cancelled, cold);
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    const struct {
        const char *name;
        session::handler on_data;
    } modes[] = {
        {"echo", echo}, {"pipelined", answer_each}, {"broadcast", say}, {"feed", start_feed}, {"accept", nullptr},
    };
    if (argc == 3 && std::strcmp(argv[1], "timers") == 0)
        return measure_timers(std::atol(argv[2]));
    for (auto &mode : modes) {
        if (argc == 2 && std::strcmp(argv[1], mode.name) == 0)
            return serve(mode.on_data);
    }
    std::fprintf(stderr, "usage: asio echo|pipelined|broadcast|feed|accept|timers COUNT\n");
    return 2;
}
