// SPDX-License-Identifier: GPL-2.0-only
/*
 * For the bench: an echo server on epoll, and a client that measures any echo server.
 *
 *	echo serve PORT				serves 127.0.0.1 until it is killed
 *	echo ask PORT CONNECTIONS ROUNDS SIZE	prints how many nanoseconds a round trip takes
 *	echo hold PORT CONNECTIONS		opens them, prints "open", and keeps them until its input ends
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char bytes[65536];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in address(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return at;
}

static int add(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static _Noreturn void serve(const char *port)
{
	struct sockaddr_in at = address(port);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0), yes = 1, n, i;
	struct epoll_event events[64];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 4096) || add(epoll, listener))
		die("listen");
	for (;;) {
		n = epoll_wait(epoll, events, 64, -1);
		for (i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			ssize_t got;

			if (fd == listener) {
				fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
				if (fd >= 0)
					add(epoll, fd);
				continue;
			}
			got = read(fd, bytes, sizeof(bytes));
			if (got <= 0 || write(fd, bytes, got) != got)
				close(fd);
		}
	}
}

static int *connected(const char *port, int n)
{
	struct sockaddr_in at = address(port);
	int *fds = calloc(n, sizeof(*fds)), i, yes = 1;

	for (i = 0; i < n; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fds[i], (struct sockaddr *)&at, sizeof(at)))
			die("connect");
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	}
	return fds;
}

/* Writes to all, then reads all, in turn. */
static void rounds(const int *fds, int n, int times, int size)
{
	int round, i;

	for (round = 0; round < times; round++) {
		for (i = 0; i < n; i++)
			if (write(fds[i], bytes, size) != size)
				die("write");
		for (i = 0; i < n; i++) {
			int left = size;

			while (left > 0) {
				ssize_t got = read(fds[i], bytes, left);

				if (got <= 0)
					die("read");
				left -= got;
			}
		}
	}
}

static int ask(const char *port, int n, int times, int size)
{
	int *fds = connected(port, n);
	struct timespec begun, ended;

	memset(bytes, 'x', sizeof(bytes));
	rounds(fds, n, times / 10 + 1, size);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	rounds(fds, n, times, size);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	printf("%lld\n", ((ended.tv_sec - begun.tv_sec) * 1000000000LL + ended.tv_nsec - begun.tv_nsec) / times / n);
	return 0;
}

static int hold(const char *port, int n)
{
	connected(port, n);
	puts("open");
	fflush(stdout);
	return getchar() == EOF ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct rlimit many = { 65536, 65536 };

	setrlimit(RLIMIT_NOFILE, &many);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(argv[2]);
	if (argc == 6 && !strcmp(argv[1], "ask"))
		return ask(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
	if (argc == 4 && !strcmp(argv[1], "hold"))
		return hold(argv[2], atoi(argv[3]));
	fprintf(stderr, "usage: echo serve PORT | ask PORT CONNECTIONS ROUNDS SIZE | hold PORT CONNECTIONS\n");
	return 2;
}
