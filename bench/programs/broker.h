/* What the programs here have in common: the broker that BROKER_URL names, one channel on it, and an end with a
 * reason. */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "error: %s\n", what);
    exit(1);
}

static inline void check(amqp_rpc_reply_t reply, const char *what) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail(what);
}

static inline amqp_connection_state_t open_channel(void) {
    const char *given = getenv("BROKER_URL");
    char *url = given ? strdup(given) : NULL; /* which parsing takes apart, and the connection refers to */
    struct amqp_connection_info broker;
    amqp_default_connection_info(&broker);
    if (!url || amqp_parse_url(url, &broker) != AMQP_STATUS_OK)
        fail("BROKER_URL is no amqp://user:password@host:port/vhost");
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket || amqp_socket_open(socket, broker.host, broker.port) != 0) fail("no connection");
    enum { CHANNELS = 0, FRAME = 131072, HEARTBEAT = 0 };
    check(
        amqp_login(
            connection, broker.vhost, CHANNELS, FRAME, HEARTBEAT, AMQP_SASL_METHOD_PLAIN, broker.user, broker.password),
        "login");
    amqp_channel_open(connection, 1);
    check(amqp_get_rpc_reply(connection), "channel");
    return connection;
}

static inline void consume(amqp_connection_state_t connection, const char *queue, int no_ack) {
    amqp_basic_consume(connection, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, no_ack, 0, amqp_empty_table);
    check(amqp_get_rpc_reply(connection), "consume");
}

static inline amqp_basic_properties_t persistent(void) {
    return (amqp_basic_properties_t){
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG, .delivery_mode = 2,
        .content_type = amqp_cstring_bytes("application/json")};
}

static inline double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
