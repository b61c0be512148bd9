/* The floor: a chat in C with one send for each delivery, and nothing that a framework would add.
 *
 * Bare on purpose: one thread, one epoll, no limits, a fixed room for the name of a room. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../websocket.h"

#define ROOMS_MOST 4096
#define NAME_SIZE 32
#define INPUT_SIZE (256 * 1024)

struct client {
    int fd, room, place, is_open;
    size_t have, waiting, room_for;
    uint8_t *input, *output;
};

struct room {
    char name[NAME_SIZE];
    struct client **clients;
    int count, most;
};

static struct room rooms[ROOMS_MOST];
static int epoll;

static void watch(struct client *client, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (epoll_ctl(epoll, operation, client->fd, &event) != 0) fail("epoll_ctl", strerror(errno));
}

static void leave(struct client *client) {
    if (client->room >= 0) {
        struct room *room = &rooms[client->room];
        struct client *last = room->clients[--room->count];
        room->clients[client->place] = last;
        last->place = client->place;
        client->room = -1;
    }
    close(client->fd);
    client->fd = -1; /* freed never: a few bytes, and other events of this turn may know it */
    free(client->input);
    free(client->output);
    client->input = client->output = NULL;
}

static void give(struct client *client, const uint8_t *bytes, size_t size) {
    ssize_t sent = 0;
    if (client->waiting == 0) {
        sent = send(client->fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0) sent = 0; /* full, or gone: epoll tells */
        if ((size_t)sent == size) return;
        watch(client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    size -= (size_t)sent;
    if (client->waiting + size > client->room_for) {
        client->room_for = 2 * (client->waiting + size);
        client->output = must(realloc(client->output, client->room_for));
    }
    memcpy(client->output + client->waiting, bytes + sent, size);
    client->waiting += size;
}

static void give_rest(struct client *client) {
    ssize_t sent = send(client->fd, client->output, client->waiting, MSG_NOSIGNAL);
    if (sent <= 0) return;
    client->waiting -= (size_t)sent;
    memmove(client->output, client->output + sent, client->waiting);
    if (client->waiting == 0) watch(client, EPOLL_CTL_MOD, EPOLLIN);
}

static int room_called(const char *name, size_t size) {
    int number = 0;
    if (size >= NAME_SIZE) fail("a name of a room is too long", "");
    while (rooms[number].name[0] != 0 &&
           (strncmp(rooms[number].name, name, size) != 0 || rooms[number].name[size] != 0))
        if (++number == ROOMS_MOST) fail("too many rooms", "");
    memcpy(rooms[number].name, name, size);
    return number;
}

/* The first message of a client puts it into its room, and goes back to it alone. */
static void join(struct client *client, const char *text, size_t size) {
    const char *name = memmem(text, size, "\"room\":\"", 8);
    if (name == NULL) return;
    name += 8;
    const char *end = memchr(name, '"', (size_t)(text + size - name));
    if (end == NULL) return;
    client->room = room_called(name, (size_t)(end - name));
    struct room *room = &rooms[client->room];
    if (room->count == room->most) {
        room->most = room->most ? 2 * room->most : 16;
        room->clients = must(realloc(room->clients, (size_t)room->most * sizeof *room->clients));
    }
    client->place = room->count;
    room->clients[room->count++] = client;
}

static int take(struct client *client, struct frame *frame) {
    static uint8_t out[HEADER_MOST + INPUT_SIZE];
    int opcode = frame->first & 0x0F;
    mask_bytes(frame->payload, frame->size, frame->mask);
    size_t header = write_header(out, opcode == OP_PING ? OP_PONG : opcode, frame->size, 0);
    memcpy(out + header, frame->payload, frame->size);
    if (opcode != OP_TEXT) {
        give(client, out, header + frame->size);
        return opcode != OP_CLOSE;
    }
    if (client->room < 0) {
        join(client, (char *)frame->payload, frame->size);
        give(client, out, header + frame->size);
        return 1;
    }
    struct room *room = &rooms[client->room];
    for (int i = 0; i < room->count; i++) give(room->clients[i], out, header + frame->size);
    return 1;
}

static size_t shake_hands(struct client *client) {
    char accept[ACCEPT_SIZE], answer[256];
    client->input[client->have] = 0;
    char *end = strstr((char *)client->input, "\r\n\r\n");
    if (end == NULL) return 0;
    const char *key = header_of((char *)client->input, "Sec-WebSocket-Key");
    if (key == NULL) return 0;
    accept_of(key, accept);
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                        accept);
    give(client, (uint8_t *)answer, (size_t)size);
    client->is_open = 1;
    return (size_t)(end + 4 - (char *)client->input);
}

static void read_from(struct client *client) {
    ssize_t got = recv(client->fd, client->input + client->have, INPUT_SIZE - client->have - 1, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        leave(client);
        return;
    }
    client->have += (size_t)got;
    size_t used = client->is_open ? 0 : shake_hands(client), size;
    struct frame frame;
    while (client->is_open && (size = read_frame(client->input + used, client->have - used, &frame)) > 0) {
        used += size;
        if (!take(client, &frame)) {
            leave(client);
            return;
        }
    }
    client->have -= used;
    memmove(client->input, client->input + used, client->have);
}

int main(int count, char **arguments) {
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (count != 2) fail("usage", "floor PORT");
    address.sin_port = htons((uint16_t)atoi(arguments[1]));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0)
        fail("cannot listen", strerror(errno));
    epoll = epoll_create1(0);
    struct client listening = {.fd = listener};
    watch(&listening, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (client == &listening) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                client = must(calloc(1, sizeof *client));
                *client = (struct client){.fd = fd, .room = -1, .input = must(malloc(INPUT_SIZE))};
                watch(client, EPOLL_CTL_ADD, EPOLLIN);
                continue;
            }
            if (client->fd >= 0 && events[i].events & EPOLLOUT && client->waiting > 0) give_rest(client);
            if (client->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_from(client);
        }
    }
}
