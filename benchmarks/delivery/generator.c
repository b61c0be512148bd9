/* The load generator: clients of a chat that trust no server.
 *
 * It opens ROOMS x SIZE connections, lets every client join its room by speaking in it, and then lets the
 * first SENDERS of each room speak: in a closed loop (WINDOW messages in flight for each; a message is done
 * when the whole room has it) or in an open one (RATE messages a second in all, each due at a planned instant).
 * Every delivery is compared byte for byte with what was sent, and must be the next of its sender for its
 * receiver. What it found is printed as one JSON object. One thread, one epoll: no time is spent on locks.
 *
 *   {"nickname":"c000012","room":"r00003","message":"m0000000123 words..."}
 *                                                    ^ j: the message with which a client joins */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "websocket.h"

#define SECOND 1000000000LL

/* ns until all must be connected, and until all must have left; between two looks at memory */
#define OPEN_LIMIT (90 * SECOND)
#define MORE_LIMIT (20 * SECOND) /* beyond the time that was asked for */
#define LEAVE_LIMIT (30 * SECOND)
#define LOOK_INTERVAL (SECOND / 10)

/* bytes: read at a time; kept of one server's frames; of text that messages are cut from */
#define READ_SIZE (256 * 1024)
#define CORPUS_SIZE (64 * 1024)

/* messages that an open loop may have in flight for each sender, and bytes of them for all */
#define AHEAD_MOST 4096
#define AHEAD_BYTES (128u << 20)

/* a histogram's steps within a power of two of ns: 3 % */
#define STEPS 32

enum state { CONNECTING, SHAKING_HANDS, ENGINE_OPEN, ENGINE_CONNECTED, JOINING, JOINED, LEAVING, GONE };

struct slot { /* a message in flight */
    int64_t due;
    uint32_t seq;
    int missing; /* receivers that have not got it; 0: the slot is free */
    uint8_t *payload;
};

struct client {
    int fd, number, room, place, state, is_stalled, gone_errno, port;
    int64_t gone_at;
    uint32_t seq, asked, answered; /* calls: their ids count from FIRST_CALL */
    uint32_t *next, *absent; /* by sender of its room: what it must hear next, how many it has not heard */
    struct slot *slots;
    uint8_t *kept, *unsent, mask[4];
    size_t kept_size, kept_room, unsent_size, unsent_room;
    z_stream *inflating;
    char accept[ACCEPT_SIZE];
};

static struct {
    int rooms, size, senders, window, bytes, stall, concurrency, deflate, engine_io, sorted, idle, pid, call;
    int open_loop;
    uint64_t at_least;                    /* messages */
    double warm_up, seconds, rate, drain; /* s, and messages/s */
    const char *host, *port, *path;
} options = {.rooms = 1,
             .size = 1,
             .senders = 1,
             .window = 1,
             .bytes = 128,
             .concurrency = 100,
             .warm_up = 0.5,
             .seconds = 1,
             .drain = 10};

struct least {
    uint64_t messages, deliveries;
};

static struct {
    uint64_t deliveries, messages, bytes, bad, doubled, disordered, lost, cut, skipped, joins, deflated,
        shared;
} count;

static struct client *clients;
static uint8_t *expected_join, *scratch;
static char *corpus;
static int epoll, timer, client_count, started, in_handshake, joined, open_now, synced, sending, ahead;
static int nickname_at, kind_at, payload_size; /* offsets in a payload */
static uint64_t histogram[64 * STEPS], latencies;
static int64_t latency_most;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* ---- what the server costs: read from /proc ---- */

struct usage {
    int64_t cpu, waited, ticks_user, ticks_system, mine; /* ns, ns, ticks of the clock, ticks, ns */
};

static int read_proc(const char *name, char *text, size_t size) {
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0) close(fd);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

static struct usage usage_now(void) {
    struct usage usage = {0};
    struct rusage mine;
    char name[300], text[1024];
    getrusage(RUSAGE_SELF, &mine);
    usage.mine = (mine.ru_utime.tv_sec + mine.ru_stime.tv_sec) * SECOND +
                 (mine.ru_utime.tv_usec + mine.ru_stime.tv_usec) * 1000LL;
    if (options.pid == 0) return usage;
    snprintf(name, sizeof name, "/proc/%d/stat", options.pid);
    if (read_proc(name, text, sizeof text) && strrchr(text, ')') != NULL) {
        long long user, system;
        if (sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld", &user,
                   &system) == 2)
            usage.ticks_user = user, usage.ticks_system = system;
    }
    snprintf(name, sizeof name, "/proc/%d/task", options.pid);
    DIR *threads = opendir(name);
    for (struct dirent *thread; threads != NULL && (thread = readdir(threads)) != NULL;) {
        long long cpu, waited;
        if (thread->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "/proc/%d/task/%.20s/schedstat", options.pid, thread->d_name);
        if (read_proc(name, text, sizeof text) && sscanf(text, "%lld %lld", &cpu, &waited) == 2)
            usage.cpu += cpu, usage.waited += waited;
    }
    if (threads != NULL) closedir(threads);
    if (usage.cpu == 0) /* a kernel without scheduler statistics: 10 ms are all that one gets */
        usage.cpu = (usage.ticks_user + usage.ticks_system) * (SECOND / sysconf(_SC_CLK_TCK));
    return usage;
}

/* Resident bytes of the server. */
static int64_t memory_now(void) {
    char name[64], text[256];
    long long pages = 0;
    snprintf(name, sizeof name, "/proc/%d/statm", options.pid);
    if (options.pid == 0 || !read_proc(name, text, sizeof text) || sscanf(text, "%*d %lld", &pages) != 1)
        return 0;
    return pages * sysconf(_SC_PAGESIZE);
}

static struct {
    int64_t before, joined, most, end, looked_at;
} memory;

static void look_at_memory(int64_t at) {
    if (at - memory.looked_at < LOOK_INTERVAL) return;
    memory.looked_at = at;
    int64_t size = memory_now();
    if (size > memory.most) memory.most = size;
}

/* ---- latency ---- */

static void record(int64_t latency) {
    if (latency < 1) latency = 1;
    if (latency > latency_most) latency_most = latency;
    int power = 63 - __builtin_clzll((unsigned long long)latency);
    int step = power >= 5 ? (int)(latency >> (power - 5)) & (STEPS - 1) : 0;
    histogram[power * STEPS + step]++;
    latencies++;
}

static double percentile(double share) {
    uint64_t wanted = (uint64_t)ceil(share * (double)latencies), seen = 0;
    for (int i = 0; i < 64 * STEPS; i++)
        if ((seen += histogram[i]) >= wanted && seen > 0) {
            double upper = ldexp(1 + (i % STEPS + 1) / (double)STEPS, i / STEPS);
            return fmin(upper, (double)latency_most) / 1e6;
        }
    return 0;
}

/* ---- what is said ---- */

static uint32_t random_number(void) { /* the same ones in every run */
    static uint32_t random = 2463534242u;
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    return random;
}

static void make_corpus(void) {
    static const char letters[] = "etaoinshrdlucmfwyp";
    size_t size = CORPUS_SIZE + (size_t)options.bytes;
    char words[512][11];
    corpus = must(malloc(size));
    for (int i = 0; i < 512; i++) {
        uint32_t length = 2 + random_number() % 8;
        for (uint32_t k = 0; k < length; k++) words[i][k] = letters[random_number() % 18];
        words[i][length] = ' ';
        words[i][length + 1] = 0;
    }
    for (size_t at = 0; at < size;) {
        const char *word =
            words[random_number() % 512 * (random_number() % 512) / 512]; /* some are more usual */
        while (*word && at < size) corpus[at++] = *word++;
    }
}

/* Whether each message is a Socket.IO event; a call has an envelope of its own. */
static int in_packet(void) { return options.engine_io && !options.call; }

/* A chat message of exactly options.bytes, in its envelope if there is one. */
static void say(uint8_t *payload, const struct client *client, char kind, uint32_t seq) {
    char head[128], tail[64], *to = (char *)payload;
    int before, after;
    if (in_packet()) to += sprintf(to, "42[\"message\",");
    if (options.sorted) {
        before = sprintf(head, "{\"message\":\"%c%010u ", kind, seq);
        after = sprintf(tail, "\",\"nickname\":\"c%06d\",\"room\":\"r%05d\"}", client->place, client->room);
    } else {
        before = sprintf(head, "{\"nickname\":\"c%06d\",\"room\":\"r%05d\",\"message\":\"%c%010u ",
                         client->place, client->room, kind, seq);
        after = sprintf(tail, "\"}");
    }
    int words = options.bytes - before - after;
    memcpy(to, head, (size_t)before);
    memcpy(to + before, corpus + (seq * 131u + (uint32_t)client->number * 977u) % CORPUS_SIZE, (size_t)words);
    memcpy(to + before + words, tail, (size_t)after);
    if (in_packet()) to[options.bytes] = ']';
}

static void find_offsets(void) {
    int envelope = in_packet() ? (int)strlen("42[\"message\",") : 0;
    payload_size = options.bytes + envelope + (in_packet() ? 1 : 0);
    if (options.sorted) {
        kind_at = envelope + (int)strlen("{\"message\":\"");
        nickname_at = payload_size - (int)strlen("000000\",\"room\":\"r00000\"}");
    } else {
        nickname_at = envelope + (int)strlen("{\"nickname\":\"c");
        kind_at = nickname_at + (int)strlen("000000\",\"room\":\"r00000\",\"message\":\"");
    }
}

static uint32_t number_at(const uint8_t *text, int digits) {
    uint32_t number = 0;
    for (int i = 0; i < digits; i++) number = number * 10 + (text[i] - '0');
    return number;
}

/* ---- the way out ---- */

static void watch(struct client *client, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (epoll_ctl(epoll, operation, client->fd, &event) != 0) fail("epoll_ctl", strerror(errno));
}

static void give(struct client *client, const uint8_t *bytes, size_t size) {
    ssize_t sent = 0;
    if (client->unsent_size == 0) {
        sent = send(client->fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0) sent = 0; /* full, or gone: epoll tells */
        if ((size_t)sent == size) return;
        watch(client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    size -= (size_t)sent;
    if (client->unsent_size + size > client->unsent_room) {
        client->unsent_room = 2 * (client->unsent_size + size);
        client->unsent = must(realloc(client->unsent, client->unsent_room));
    }
    memcpy(client->unsent + client->unsent_size, bytes + sent, size);
    client->unsent_size += size;
}

static void give_rest(struct client *client) {
    ssize_t sent = send(client->fd, client->unsent, client->unsent_size, MSG_NOSIGNAL);
    if (sent <= 0) return;
    client->unsent_size -= (size_t)sent;
    memmove(client->unsent, client->unsent + sent, client->unsent_size);
    if (client->unsent_size == 0) watch(client, EPOLL_CTL_MOD, EPOLLIN);
}

static void send_frame(struct client *client, int opcode, const uint8_t *payload, size_t size) {
    size_t at = write_header(scratch, opcode, size, 1);
    memcpy(scratch + at, client->mask, 4);
    memcpy(scratch + at + 4, payload, size);
    mask_bytes(scratch + at + 4, size, client->mask);
    give(client, scratch, at + 4 + size);
}

/* ---- the load ---- */

static int receivers_in(int room) {
    int stalled =
        options.stall - (options.rooms - 1 - room) * options.size; /* the last ones of the last rooms */
    return options.size - (stalled < 0 ? 0 : stalled);
}

/* ---- calls: the message is the one argument, and comes back as the result ---- */

#define FIRST_CALL 1000000000u /* ids of one length, and no JSON number begins with 0 */

static const struct {
    const char *call, *call_end, *answer, *answer_end;
} envelopes[] = {
    {"", "", "", ""},
    {"{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"echo\",\"params\":[", "]}",
     "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":", "}"},
    {"42%u[\"echo\",", "]", "43%u[", "]"}, /* Socket.IO: an event that is acknowledged */
};

static void send_message(struct client *client, const uint8_t *payload) {
    if (!options.call) {
        send_frame(client, OP_TEXT, payload, (size_t)payload_size);
        return;
    }
    static uint8_t *wrapped;
    if (wrapped == NULL) wrapped = must(malloc((size_t)payload_size + 256));
    int size = sprintf((char *)wrapped, envelopes[options.call].call, FIRST_CALL + client->asked++);
    memcpy(wrapped + size, payload, (size_t)payload_size);
    size += payload_size;
    size += sprintf((char *)wrapped + size, "%s", envelopes[options.call].call_end);
    send_frame(client, OP_TEXT, wrapped, (size_t)size);
}

/* What an answer carries; NULL: it is not the answer to the oldest call. */
static const uint8_t *unwrap(struct client *client, const uint8_t *payload, size_t *size) {
    char expected[96];
    int head = sprintf(expected, envelopes[options.call].answer, FIRST_CALL + client->answered++);
    size_t tail = strlen(envelopes[options.call].answer_end);
    if (*size < (size_t)head + tail || memcmp(expected, payload, (size_t)head) != 0 ||
        memcmp(envelopes[options.call].answer_end, payload + *size - tail, tail) != 0)
        return NULL;
    *size -= (size_t)head + tail;
    return payload + head;
}

/* Say the next message; 0: all that may be in flight is. */
static int speak(struct client *client, int64_t due) {
    struct slot *slot = &client->slots[client->seq % (uint32_t)ahead];
    if (slot->missing != 0) return 0;
    slot->seq = client->seq++;
    slot->missing = sending ? receivers_in(client->room) : options.size; /* before: nobody has stalled yet */
    slot->due = due;
    say(slot->payload, client, 'm', slot->seq);
    count.messages++;
    send_message(client, slot->payload);
    return 1;
}

static void message_is_done(struct client *sender, struct slot *slot, int64_t at) {
    if (slot->seq == 0 && sender->place == 0) synced++; /* a room's first: all that joined have heard of it */
    else if (sending && !options.open_loop) speak(sender, at);
}

/* ---- the way in ---- */

static void take_join(struct client *client, const uint8_t *payload) {
    uint32_t place = number_at(payload + nickname_at, 6);
    count.joins++;
    if (place >= (uint32_t)options.size) {
        count.bad++;
        return;
    }
    say(expected_join, &clients[client->room * options.size + (int)place], 'j', 0);
    if (memcmp(expected_join, payload, (size_t)payload_size) != 0) count.bad++;
    if ((int)place == client->place && client->state == JOINING) {
        client->state = JOINED;
        joined++;
        in_handshake--;
    }
}

static void take_delivery(struct client *client, const uint8_t *payload, size_t size, int64_t at) {
    if (options.call && (payload = unwrap(client, payload, &size)) == NULL) {
        count.bad++;
        return;
    }
    if (size != (size_t)payload_size) {
        count.bad++;
        return;
    }
    if (payload[kind_at] == 'j') {
        take_join(client, payload);
        return;
    }
    uint32_t place = number_at(payload + nickname_at, 6), seq = number_at(payload + kind_at + 1, 10);
    if (place >= (uint32_t)options.senders) {
        count.bad++;
        return;
    }
    struct client *sender = &clients[client->room * options.size + (int)place];
    struct slot *slot = &sender->slots[seq % (uint32_t)ahead];
    if (seq < client->next[place]) { /* late, or once too often */
        if (client->absent[place] > 0) client->absent[place]--, count.disordered++;
        else {
            count.doubled++;
            return;
        }
    } else {
        client->absent[place] += seq - client->next[place];
        client->next[place] = seq + 1;
    }
    if (slot->missing == 0 || slot->seq != seq) { /* nobody said that */
        count.bad++;
        return;
    }
    if (memcmp(payload, slot->payload, size) != 0) count.bad++; /* damaged is not lost, too */
    count.deliveries++;
    record(at - slot->due);
    if (--slot->missing == 0) message_is_done(sender, slot, at);
}

/* Frames that were compressed without a look back: the same for all, and inflated once. */
static struct shared {
    uint8_t *in, *out;
    size_t in_size, in_room, out_size;
} shared[256];

static size_t inflate_with(z_stream *stream, uint8_t *in, size_t size, uint8_t *out) {
    static uint8_t end[4] = {0, 0, 0xFF, 0xFF}; /* RFC 7692, 7.2.2 */
    size_t room = (size_t)payload_size + 64;
    stream->next_out = out;
    stream->avail_out = (uInt)room;
    for (int part = 0; part < 2; part++) {
        stream->next_in = part ? end : in;
        stream->avail_in = part ? sizeof end : (uInt)size;
        int result = inflate(stream, Z_SYNC_FLUSH);
        if ((result != Z_OK && result != Z_BUF_ERROR) || stream->avail_in > 0) return 0;
    }
    return room - stream->avail_out;
}

static struct shared *shared_frame(uint8_t *in, size_t size) {
    static z_stream *alone;
    uint32_t hash = (uint32_t)size;
    for (size_t i = 0; i < size; i++) hash = (hash ^ in[i]) * 16777619u;
    struct shared *known = &shared[hash % 256];
    if (known->in_size == size && memcmp(known->in, in, size) == 0) return known;
    if (alone == NULL && inflateInit2(alone = must(calloc(1, sizeof *alone)), -15) != Z_OK)
        fail("zlib", "inflateInit2");
    inflateReset(alone);
    if (size > known->in_room) known->in = must(realloc(known->in, known->in_room = 2 * size));
    if (known->out == NULL) known->out = must(malloc((size_t)payload_size + 64));
    memcpy(known->in, in, known->in_size = size);
    known->out_size = inflate_with(alone, in, size, known->out); /* 0: it looks back further than it goes */
    return known;
}

static size_t inflate_frame(struct client *client, uint8_t *in, size_t size, uint8_t **out) {
    static uint8_t *plain;
    count.deflated++;
    if (client->inflating == NULL) {
        client->inflating = must(calloc(1, sizeof *client->inflating));
        if (inflateInit2(client->inflating, -15) != Z_OK) fail("zlib", "inflateInit2");
    }
    struct shared *known = shared_frame(in, size);
    if (known->out_size > 0) { /* but a later frame may look back at it */
        count.shared++;
        if (inflateSetDictionary(client->inflating, known->out, (uInt)known->out_size) != Z_OK)
            fail("zlib", "inflateSetDictionary");
        *out = known->out;
        return known->out_size;
    }
    if (plain == NULL) plain = must(malloc((size_t)payload_size + 64));
    *out = plain;
    return inflate_with(client->inflating, in, size, plain);
}

static void gone(struct client *client, int error) {
    if (client->state == GONE) return;
    if (client->state < JOINED) {
        char what[120];
        snprintf(what, sizeof what, "client %d, %s", client->number,
                 error ? strerror(error) : "end of stream");
        fail("a connection failed before its client was in the room", what);
    }
    if (client->state != LEAVING && !client->is_stalled) count.cut++;
    client->state = GONE;
    client->gone_errno = error;
    client->gone_at = now();
    open_now--;
    close(client->fd);
}

static void join(struct client *client) {
    client->state = JOINING;
    say(expected_join, client, 'j', 0);
    send_message(client, expected_join);
}

/* Engine.IO's and Socket.IO's packets that are no messages; 0: it is one. */
static int take_packet(struct client *client, const uint8_t *payload, size_t size) {
    if (client->state == ENGINE_OPEN && size > 0 && payload[0] == '0') {
        send_frame(client, OP_TEXT, (const uint8_t *)"40", 2);
        client->state = ENGINE_CONNECTED;
        return 1;
    }
    if (client->state == ENGINE_CONNECTED && size > 1 && payload[0] == '4' && payload[1] == '0') {
        join(client);
        return 1;
    }
    if (size == 1 && payload[0] == '2') {
        send_frame(client, OP_TEXT, (const uint8_t *)"3", 1);
        return 1;
    }
    return 0;
}

static void take_frame(struct client *client, struct frame *frame, int64_t at) {
    uint8_t *payload = frame->payload;
    size_t size = frame->size;
    switch (frame->first & 0x0F) {
    case OP_PING: send_frame(client, OP_PONG, payload, size); return;
    case OP_PONG: return;
    case OP_CLOSE:
        if (client->state != LEAVING)
            fprintf(stderr, "client %d was told to go: %u\n", client->number,
                    size >= 2 ? payload[0] << 8 | payload[1] : 1005);
        return; /* the end of the stream follows */
    case OP_TEXT: break;
    default: count.bad++; return;
    }
    if (!(frame->first & 0x80)) { /* no server here has a reason for fragments */
        count.bad++;
        return;
    }
    if (frame->first & 0x40) size = inflate_frame(client, payload, size, &payload);
    count.bytes += frame->size;
    if (options.engine_io && take_packet(client, payload, size)) return;
    take_delivery(client, payload, size, at);
}

static size_t shake_hands(struct client *client, uint8_t *input, size_t have) {
    char *end = memmem(input, have, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    end[2] = 0; /* header_of's end: the last header's line stays whole */
    if (strncmp((char *)input, "HTTP/1.1 101 ", 13) != 0) fail("no 101", strtok((char *)input, "\r\n"));
    const char *accept = header_of((char *)input, "Sec-WebSocket-Accept"),
               *extensions = header_of((char *)input, "Sec-WebSocket-Extensions");
    if (accept == NULL || strncmp(accept, client->accept, ACCEPT_SIZE - 1) != 0)
        fail("wrong Sec-WebSocket-Accept", accept ? accept : "none");
    if (options.deflate && (extensions == NULL || strncmp(extensions, "permessage-deflate", 18) != 0))
        fail("the server does not deflate", extensions ? extensions : "");
    if (!options.deflate && extensions != NULL) fail("an extension that was not offered", extensions);
    if (options.engine_io) client->state = ENGINE_OPEN;
    else join(client);
    return (size_t)(end + 4 - (char *)input);
}

static void keep(struct client *client, const uint8_t *bytes, size_t size) {
    if (size > client->kept_room) client->kept = must(realloc(client->kept, client->kept_room = size + 4096));
    if (size > 0) memcpy(client->kept, bytes, client->kept_size = size);
    else client->kept_size = 0;
}

static void read_from(struct client *client) {
    static uint8_t *input;
    static size_t input_room;
    struct frame frame;
    size_t used = 0, size;
    if (client->kept_size + READ_SIZE > input_room)
        input = must(realloc(input, input_room = client->kept_size + 2 * READ_SIZE));
    if (client->kept_size > 0) memcpy(input, client->kept, client->kept_size);
    ssize_t got = recv(client->fd, input + client->kept_size, READ_SIZE, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) gone(client, got == 0 ? 0 : errno);
        return;
    }
    int64_t at = now();
    size_t have = client->kept_size + (size_t)got;
    if (client->state == SHAKING_HANDS) used = shake_hands(client, input, have);
    if (client->state > SHAKING_HANDS)
        while ((size = read_frame(input + used, have - used, &frame)) > 0) {
            used += size;
            take_frame(client, &frame, at);
        }
    keep(client, input + used, have - used);
}

/* ---- connecting ---- */

static struct sockaddr_storage server;
static socklen_t server_size;

static void resolve(void) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int result = getaddrinfo(options.host, options.port, &hints, &found);
    if (result != 0) fail(options.host, gai_strerror(result));
    memcpy(&server, found->ai_addr, server_size = found->ai_addrlen);
    freeaddrinfo(found);
}

static void begin(struct client *client) {
    int on = 1;
    client->fd = socket(server.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) fail("socket", strerror(errno));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(client->fd, (struct sockaddr *)&server, server_size) != 0 && errno != EINPROGRESS)
        fail("connect", strerror(errno));
    watch(client, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    in_handshake++;
    open_now++;
}

static void say_hello(struct client *client) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char key[25], hello[512];
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) fail("connect", strerror(error));
    for (int i = 0; i < 21; i++) key[i] = letters[rand() & 63];
    memcpy(key + 21, "A==", 4); /* 16 bytes in base64 */
    accept_of(key, client->accept);
    client->state = SHAKING_HANDS;
    watch(client, EPOLL_CTL_MOD, EPOLLIN);
    int length = snprintf(hello, sizeof hello,
                          "GET %s HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                          options.path, options.host, options.port, key,
                          options.deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
    give(client, (uint8_t *)hello, (size_t)length);
}

static void handle(struct client *client, uint32_t events) {
    if (client->state == GONE) return;
    if (client->is_stalled) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        gone(client, error);
        return;
    }
    if (client->state == CONNECTING) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) say_hello(client);
        return;
    }
    if (events & EPOLLOUT && client->unsent_size > 0) give_rest(client);
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read_from(client);
}

/* One turn: what is ready until an instant. */
static void turn(int64_t until) {
    struct epoll_event events[512];
    struct itimerspec wake = {.it_value = {.tv_sec = until / SECOND, .tv_nsec = until % SECOND}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &wake, NULL);
    int ready = epoll_wait(epoll, events, 512, -1);
    for (int i = 0; i < ready; i++)
        if (events[i].data.ptr != NULL) handle(events[i].data.ptr, events[i].events);
        else if (read(timer, &(uint64_t){0}, 8) < 0 && errno != EAGAIN) fail("timerfd", strerror(errno));
}

static void prepare(void) {
    client_count = options.rooms * options.size;
    clients = must(calloc((size_t)client_count, sizeof *clients));
    expected_join = must(malloc((size_t)payload_size + 64));
    scratch = must(malloc((size_t)payload_size + 256));
    ahead = options.window;
    if (options.open_loop) {
        double room = (double)AHEAD_BYTES / ((double)payload_size * options.senders * options.rooms);
        ahead = room > AHEAD_MOST ? AHEAD_MOST : room < 16 ? 16 : (int)room;
    }
    for (int i = 0; i < client_count; i++) {
        struct client *client = &clients[i];
        client->number = i;
        client->room = i / options.size;
        client->place = i % options.size;
        for (int k = 0; k < 4; k++) client->mask[k] = (uint8_t)(rand() | 1);
        client->next = must(calloc(2 * (size_t)options.senders, sizeof *client->next));
        client->absent = client->next + options.senders;
        if (client->place >= options.senders || options.idle) continue;
        client->slots = must(calloc((size_t)ahead, sizeof *client->slots));
        for (int k = 0; k < ahead; k++) client->slots[k].payload = must(malloc((size_t)payload_size + 64));
    }
}

static void open_all(void) {
    int64_t limit = now() + OPEN_LIMIT;
    while (joined < client_count) {
        while (started < client_count && in_handshake < options.concurrency) begin(&clients[started++]);
        turn(now() + SECOND);
        if (now() > limit) {
            char what[80];
            snprintf(what, sizeof what, "%d of %d clients", joined, client_count);
            fail("in the room when the time was over", what);
        }
    }
}

/* The first message of each room comes after all that its clients heard of each other while they joined. */
static void sync_rooms(void) {
    int64_t limit = now() + OPEN_LIMIT;
    for (int room = 0; room < options.rooms; room++) speak(&clients[room * options.size], now());
    while (synced < options.rooms && now() < limit) turn(now() + SECOND / 10);
    if (synced < options.rooms) fail("a room's first message", "not everybody got it");
}

static void stall_last(void) {
    for (int i = client_count - options.stall; i < client_count; i++) {
        struct sockaddr_in mine = {0};
        socklen_t size = sizeof mine;
        getsockname(clients[i].fd, (struct sockaddr *)&mine, &size);
        clients[i].port = ntohs(mine.sin_port);
        clients[i].is_stalled = 1;
        watch(&clients[i], EPOLL_CTL_MOD, EPOLLRDHUP);
    }
}

static void speak_when_due(int64_t *due, double start, uint64_t *planned) {
    static int turn_of;
    for (int64_t at = now(); *due <= at; at = now()) {
        int senders = options.rooms * options.senders, next = turn_of++ % senders;
        struct client *client = &clients[next / options.senders * options.size + next % options.senders];
        if (client->state == GONE || !speak(client, *due)) count.skipped++;
        *due = (int64_t)(start + (double)++*planned * SECOND / options.rate);
    }
}

/* Speak until an instant, and on until so much has been said and heard: fewer turns of a slow server would be
 * no measure of it. */
static void run_until(int64_t end, struct least least, int64_t *due, double start, uint64_t *planned) {
    for (int64_t at = now(); at < end || (at < end + MORE_LIMIT && (count.messages < least.messages ||
                                                                    count.deliveries < least.deliveries));
         at = now()) {
        look_at_memory(at);
        if (options.open_loop) speak_when_due(due, start, planned);
        int64_t wake = at + LOOK_INTERVAL;
        if (options.open_loop && *due < wake) wake = *due;
        turn(wake < end || at >= end ? wake : end);
    }
}

static int64_t missing(void) {
    int64_t sum = 0;
    for (int i = 0; i < client_count; i++)
        for (int k = 0; clients[i].slots != NULL && k < ahead; k++) sum += clients[i].slots[k].missing;
    return sum;
}

static void drain(void) {
    int64_t limit = now() + (int64_t)(options.drain * SECOND);
    sending = 0;
    while (missing() > 0 && now() < limit) turn(now() + SECOND / 50);
    count.lost = (uint64_t)missing();
}

static int leave_all(void) {
    int64_t limit = now() + LEAVE_LIMIT;
    for (int i = 0; i < client_count; i++)
        if (clients[i].state == JOINED) {
            clients[i].state = LEAVING;
            send_frame(&clients[i], OP_CLOSE, (const uint8_t *)"\x03\xE8", 2);
        }
    while (open_now > 0 && now() < limit) turn(now() + SECOND / 10);
    return client_count - open_now;
}

/* ---- the whole ---- */

static void report_stalled(int64_t since) {
    printf(", \"stalled\": [");
    for (int i = client_count - options.stall; i < client_count; i++) {
        const struct client *client = &clients[i];
        printf("%s{\"port\": %d, \"gone\": %s, \"reset\": %s, \"seconds\": %.3f, \"at\": %.3f}",
               i == client_count - options.stall ? "" : ", ", client->port,
               client->state == GONE ? "true" : "false", client->gone_errno == ECONNRESET ? "true" : "false",
               client->state == GONE ? (double)(client->gone_at - since) / SECOND : 0,
               (double)client->gone_at / SECOND);
    }
    printf("]");
}

static void stay(double seconds) {
    for (int64_t end = now() + (int64_t)(seconds * SECOND); now() < end;) {
        look_at_memory(now());
        turn(now() + LOOK_INTERVAL < end ? now() + LOOK_INTERVAL : end);
    }
    memory.joined = memory_now();
}

/* What is in flight when all senders have said all that they may. */
static uint64_t flight(void) {
    if (options.open_loop || options.seconds == 0) return 0;
    return (uint64_t)options.rooms * (uint64_t)options.senders * (uint64_t)options.window *
           (uint64_t)options.size;
}

static void measure(struct usage *from, struct usage *to, uint64_t *deliveries, double *seconds,
                    int64_t *began) {
    uint64_t planned = 0;
    sending = 1;
    stall_last();
    *began = now();
    double start = (double)*began;
    int64_t due = *began;
    if (!options.open_loop)
        for (int i = 0; i < client_count; i++)
            while (clients[i].place < options.senders && speak(&clients[i], now())) {
            }
    run_until(*began + (int64_t)(options.warm_up * SECOND), (struct least){0, count.deliveries + flight()},
              &due, start, &planned);
    memset(histogram, 0, sizeof histogram);
    latencies = 0, latency_most = 0;
    *from = usage_now();
    uint64_t before = count.deliveries;
    int64_t from_at = now();
    run_until(from_at + (int64_t)(options.seconds * SECOND),
              (struct least){options.at_least, before + 2 * flight()}, &due, start, &planned);
    *to = usage_now();
    *deliveries = count.deliveries - before;
    *seconds = (double)(now() - from_at) / SECOND;
    double p50 = percentile(0.5), p99 = percentile(0.99), p999 = percentile(0.999),
           most = (double)latency_most / 1e6;
    drain();
    printf(", \"p50\": %.4f, \"p99\": %.4f, \"p999\": %.4f, \"worst\": %.4f", p50, p99, p999, most);
}

static void report_usage(const char *name, const struct usage *from, const struct usage *to) {
    printf(
        ", \"%s\": {\"cpu\": %.6f, \"waited\": %.6f, \"user\": %.2f, \"system\": %.2f, \"generator\": %.6f}",
        name, (double)(to->cpu - from->cpu) / SECOND, (double)(to->waited - from->waited) / SECOND,
        (double)(to->ticks_user - from->ticks_user) / (double)sysconf(_SC_CLK_TCK),
        (double)(to->ticks_system - from->ticks_system) / (double)sysconf(_SC_CLK_TCK),
        (double)(to->mine - from->mine) / SECOND);
}

static void parse(int argument_count, char **arguments) {
    static const struct option names[] = {
        {"rooms", 1, 0, 'n'},       {"size", 1, 0, 's'},     {"senders", 1, 0, 'S'},
        {"window", 1, 0, 'w'},      {"bytes", 1, 0, 'b'},    {"stall", 1, 0, 'x'},
        {"concurrency", 1, 0, 'c'}, {"deflate", 0, 0, 'd'},  {"engine-io", 0, 0, 'e'},
        {"sorted", 0, 0, 'o'},      {"idle", 0, 0, 'i'},     {"pid", 1, 0, 'p'},
        {"rate", 1, 0, 'r'},        {"warm-up", 1, 0, 'u'},  {"seconds", 1, 0, 't'},
        {"drain", 1, 0, 'D'},       {"at-least", 1, 0, 'a'}, {"call", 1, 0, 'l'},
        {0}};
    for (int letter; (letter = getopt_long(argument_count, arguments, "", names, NULL)) != -1;) {
        double value = optarg ? atof(optarg) : 1;
        switch (letter) {
        case 'n': options.rooms = (int)value; break;
        case 's': options.size = (int)value; break;
        case 'S': options.senders = (int)value; break;
        case 'w': options.window = (int)value; break;
        case 'b': options.bytes = (int)value; break;
        case 'x': options.stall = (int)value; break;
        case 'c': options.concurrency = (int)value; break;
        case 'd': options.deflate = 1; break;
        case 'e': options.engine_io = 1; break;
        case 'o': options.sorted = 1; break;
        case 'i': options.idle = 1; break;
        case 'l': options.call = strcmp(optarg, "json-rpc") == 0 ? 1 : strcmp(optarg, "ack") == 0 ? 2 : 0; break;
        case 'p': options.pid = (int)value; break;
        case 'r':
            options.rate = value;
            options.open_loop = 1;
            break;
        case 'u': options.warm_up = value; break;
        case 't': options.seconds = value; break;
        case 'a': options.at_least = (uint64_t)value; break;
        case 'D': options.drain = value; break;
        default: exit(2);
        }
    }
    if (argument_count - optind != 3) fail("usage", "generator [options] HOST PORT PATH");
    options.host = arguments[optind];
    options.port = arguments[optind + 1];
    options.path = arguments[optind + 2];
    if (options.bytes < 96) fail("--bytes", "at least 96: names and numbers take that many");
    if (options.senders < 1 || options.senders > options.size - options.stall || options.rooms < 1 ||
        options.window < 1)
        fail("--senders, --size, --stall, --rooms, --window",
             "at least one sender, and senders do not stall");
    if (options.call && (options.size > 1 || options.window > 1))
        fail("--call", "each caller has a room of its own, and waits for its answer");
    if (options.stall >= options.size) fail("--stall", "somebody of the last room must read");
}

int main(int argument_count, char **arguments) {
    struct usage begun, opened, from = {0}, to = {0};
    uint64_t deliveries = 0;
    double seconds = 0;
    int64_t stalled_at = 0;
    parse(argument_count, arguments);
    find_offsets();
    make_corpus();
    prepare();
    resolve();
    prctl(PR_SET_TIMERSLACK, 1UL);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll < 0 || timer < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &wake) != 0)
        fail("epoll", strerror(errno));

    memory.before = memory_now();
    begun = usage_now();
    int64_t begun_at = now();
    open_all();
    int64_t opened_at = now();
    opened = usage_now();
    printf("{\"connections\": %d, \"open_seconds\": %.4f", client_count,
           (double)(opened_at - begun_at) / SECOND);
    report_usage("opening", &begun, &opened);
    if (options.idle) {
        stay(options.seconds);
        printf(", \"left\": %d", leave_all());
    } else {
        sync_rooms();
        memory.joined = memory_now();
        measure(&from, &to, &deliveries, &seconds, &stalled_at);
        report_usage("measured", &from, &to);
        report_stalled(stalled_at);
    }
    memory.end = memory_now();
    printf(", \"deliveries\": %llu, \"seconds\": %.6f, \"messages\": %llu, \"received\": %llu",
           (unsigned long long)deliveries, seconds, (unsigned long long)count.messages,
           (unsigned long long)count.deliveries);
    printf(", \"bad\": %llu, \"doubled\": %llu, \"disordered\": %llu, \"lost\": %llu, \"cut\": %llu, "
           "\"skipped\": %llu",
           (unsigned long long)count.bad, (unsigned long long)count.doubled,
           (unsigned long long)count.disordered, (unsigned long long)count.lost,
           (unsigned long long)count.cut, (unsigned long long)count.skipped);
    printf(", \"deflated\": %llu, \"shared\": %llu, \"bytes\": %llu", (unsigned long long)count.deflated,
           (unsigned long long)count.shared, (unsigned long long)count.bytes);
    printf(", \"memory\": {\"before\": %lld, \"joined\": %lld, \"most\": %lld, \"end\": %lld}}\n",
           (long long)memory.before, (long long)memory.joined, (long long)memory.most, (long long)memory.end);
    return 0;
}
