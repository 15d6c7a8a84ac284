internal import CCurl
internal import EventLoops

/// libcurl's multi handle on an event loop: the loop learns what libcurl waits for, libcurl learns what has happened.
/// Everything here runs on the loop's thread.
final class Multi {
    private let handle: UnsafeMutableRawPointer
    private let loop: EventLoop
    private var watched: Set<Int32> = []
    private var timer: EventLoop.Timer?
    /// Gets the address of the easy handle. Called outside libcurl's own calls, so it may add and remove transfers.
    private let completed: (UInt, CURLcode) -> Void

    init?(
        on loop: EventLoop, maximumConnectionsPerHost: Int,
        completed: @escaping (UInt, CURLcode) -> Void
    ) {
        guard let handle = curl_multi_init() else { return nil }
        self.handle = handle
        self.loop = loop
        self.completed = completed
        let me = Unmanaged.passUnretained(self).toOpaque()
        troupe_curl_multi_set_long(handle, CURLMOPT_MAX_HOST_CONNECTIONS, maximumConnectionsPerHost)
        troupe_curl_multi_set_pointer(handle, CURLMOPT_SOCKETDATA, me)
        troupe_curl_multi_set_socket(handle) { _, socket, interest, me, _ in
            guard let me else { return -1 }
            Unmanaged<Multi>.fromOpaque(me).takeUnretainedValue().watch(socket, interest)
            return 0
        }
        troupe_curl_multi_set_pointer(handle, CURLMOPT_TIMERDATA, me)
        troupe_curl_multi_set_timer(handle) { _, milliseconds, me in
            guard let me else { return -1 }
            Unmanaged<Multi>.fromOpaque(me).takeUnretainedValue().setTimer(milliseconds)
            return 0
        }
    }

    /// Ends kept connections. No transfer may be left in it.
    func close() {
        curl_multi_cleanup(handle)
        setTimer(-1)
        for socket in watched { loop.unwatch(socket) }
        watched.removeAll()
    }

    func add(_ easy: UnsafeMutableRawPointer) -> CURLMcode { curl_multi_add_handle(handle, easy) }

    func remove(_ easy: UnsafeMutableRawPointer) { curl_multi_remove_handle(handle, easy) }

    // MARK: What libcurl waits for (called by libcurl, which must not be called back from here)

    private func watch(_ socket: Int32, _ interest: Int32) {
        if interest == CURL_POLL_REMOVE {
            if watched.remove(socket) != nil { loop.unwatch(socket) }
            return
        }
        var readiness: EventLoop.Readiness = []
        if interest & CURL_POLL_IN != 0 { readiness.insert(.readable) }
        if interest & CURL_POLL_OUT != 0 { readiness.insert(.writable) }
        if watched.insert(socket).inserted {
            loop.watch(socket, for: readiness) { [weak self] in self?.ready(socket, $0) }
        } else {
            loop.rewatch(socket, for: readiness)
        }
    }

    private func setTimer(_ milliseconds: Int) {
        if let timer { loop.cancel(timer) }
        timer = nil
        guard milliseconds >= 0 else { return }
        timer = loop.schedule(after: .milliseconds(milliseconds)) { [weak self] in
            self?.timer = nil
            self?.act(CURL_SOCKET_TIMEOUT, 0)
        }
    }

    // MARK: What has happened

    private func ready(_ socket: Int32, _ readiness: EventLoop.Readiness) {
        var events: Int32 = 0
        if readiness.contains(.readable) { events |= CURL_CSELECT_IN }
        if readiness.contains(.writable) { events |= CURL_CSELECT_OUT }
        // A hang-up comes with, or is, something to read: the error itself.
        if !readiness.isDisjoint(with: .closed) { events |= CURL_CSELECT_IN | CURL_CSELECT_ERR }
        act(socket, events)
    }

    private func act(_ socket: Int32, _ events: Int32) {
        var running: Int32 = 0
        curl_multi_socket_action(handle, socket, events, &running)
        // Gathered first: the message is libcurl's and gone once its transfer is removed.
        var finished: [(UInt, CURLcode)] = []
        var left: Int32 = 0
        while let message = curl_multi_info_read(handle, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            finished.append((UInt(bitPattern: easy), message.pointee.data.result))
        }
        for (easy, result) in finished { completed(easy, result) }
    }
}
