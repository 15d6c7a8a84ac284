/* The limit: takes messages from one queue and gives them to the next, and keeps the promises that a sidecar keeps: published
 * persistent and mandatory, acknowledged only after the broker has confirmed. One thread, one connection, nothing else to do.
 *
 *     relay HOST PORT USER PASSWORD VHOST QUEUE EXCHANGE ROUTING_KEY PREFETCH
 *
 * Runs until SIGTERM. Exit code 0 then, 1 when anything goes wrong. */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static volatile sig_atomic_t stopping = 0;
static void stop(int signal) { (void)signal; stopping = 1; }

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "relay: %s\n", what);
    exit(1);
}

static void check(amqp_rpc_reply_t reply, const char *what) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail(what);
}

/* Deliveries and confirms both count from 1, and every delivery is published once, in order: delivery n has confirm n. */
static amqp_connection_state_t connection;
static uint64_t published = 0;      /* deliveries 1...published have been sent on */
static uint64_t acknowledged = 0;   /* deliveries 1...acknowledged have been settled */
static unsigned char *confirmed;    /* a ring of flags for acknowledged + 1 ... published */
static uint64_t ring;

static void confirm(uint64_t tag, int multiple) {
    if (!multiple) { confirmed[tag % ring] = 1; return; }
    for (uint64_t n = acknowledged + 1; n <= tag; n++) confirmed[n % ring] = 1;
}

/* One ack for all that lie together. */
static void settle(void) {
    uint64_t last = acknowledged;
    while (last < published && confirmed[(last + 1) % ring]) confirmed[++last % ring] = 0;
    if (last == acknowledged) return;
    if (amqp_basic_ack(connection, 1, last, 1) != 0) fail("ack");
    acknowledged = last;
}

int main(int count, char **arguments) {
    if (count != 10) fail("usage: relay HOST PORT USER PASSWORD VHOST QUEUE EXCHANGE ROUTING_KEY PREFETCH");
    int prefetch = atoi(arguments[9]);
    ring = (uint64_t)prefetch + 1;
    confirmed = calloc(ring, 1);
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);

    connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket || amqp_socket_open(socket, arguments[1], atoi(arguments[2])) != 0) fail("no connection");
    check(amqp_login(connection, arguments[5], 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, arguments[3], arguments[4]), "login");
    amqp_channel_open(connection, 1);
    check(amqp_get_rpc_reply(connection), "channel");
    amqp_confirm_select(connection, 1);
    check(amqp_get_rpc_reply(connection), "confirm.select");
    amqp_basic_qos(connection, 1, 0, (uint16_t)prefetch, 0);
    check(amqp_get_rpc_reply(connection), "qos");
    amqp_basic_consume(connection, 1, amqp_cstring_bytes(arguments[6]), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    check(amqp_get_rpc_reply(connection), "consume");

    amqp_bytes_t exchange = amqp_cstring_bytes(arguments[7]), key = amqp_cstring_bytes(arguments[8]);
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
    struct timeval wait = {.tv_usec = 100000}, none = {0};
    while (!stopping) {
        amqp_frame_t frame;
        amqp_maybe_release_buffers(connection);
        /* What has come already is looked at first; only then is settled, and waited. */
        int status = amqp_simple_wait_frame_noblock(connection, &frame, &none);
        if (status == AMQP_STATUS_TIMEOUT) {
            settle();
            status = amqp_simple_wait_frame_noblock(connection, &frame, &wait);
        }
        if (status == AMQP_STATUS_TIMEOUT) continue;
        if (status != AMQP_STATUS_OK) { if (stopping) break; fail("connection lost"); }
        if (frame.frame_type != AMQP_FRAME_METHOD) continue;
        switch (frame.payload.method.id) {
        case AMQP_BASIC_DELIVER_METHOD: {
            amqp_message_t message;
            check(amqp_read_message(connection, 1, &message, 0), "message");
            if (amqp_basic_publish(connection, 1, exchange, key, 1, 0, &properties, message.body) != 0) fail("publish");
            published++;
            amqp_destroy_message(&message);
            break;
        }
        case AMQP_BASIC_ACK_METHOD: {
            amqp_basic_ack_t *ack = frame.payload.method.decoded;
            confirm(ack->delivery_tag, ack->multiple);
            if (published - acknowledged >= (uint64_t)prefetch / 2) settle();
            break;
        }
        case AMQP_BASIC_NACK_METHOD: fail("the broker refused a message");
        case AMQP_BASIC_RETURN_METHOD: fail("no queue takes a message");
        default: fail("an unexpected method");
        }
    }
    settle();
    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    return 0;
}
