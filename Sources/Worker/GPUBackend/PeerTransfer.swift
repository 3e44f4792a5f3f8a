/// One end of a transfer between two workers, as a backend sees it. Its members block; they are called in this order,
/// by the thread that executes the stream's work, and end early when the session does.
public protocol PeerTransfer: AnyObject, Sendable {
    /// Whether bytes leave this worker.
    var isSending: Bool { get }

    /// Waits until the other end has come so far too. Throws when it never will.
    func begin() throws(BackendError)

    /// Moves the bytes of one row; false when the other end is gone.
    func move(_ row: UnsafeMutableRawBufferPointer) -> Bool

    /// Tells the other end that this one is done, or why it is not, and waits for its word. Called in any case, also
    /// when nothing else was; only the first call counts.
    func end(_ failure: BackendError?) throws(BackendError)
}

extension BackendStream {
    /// Takes part in a transfer in the order of the stream: the stream's later work waits for its end. A backend that
    /// can't hold a stream back holds the calling lane.
    public func exchange(_ box: MemoryBox, _ transfer: any PeerTransfer) throws(BackendError) {
        do throws(BackendError) {
            try synchronize()
            try transfer.begin()
            if !box.isEmpty {
                if transfer.isSending {
                    try copyFromDevice(box) { transfer.move(UnsafeMutableRawBufferPointer(mutating: $0)) }
                } else {
                    try copyToDevice(box) { transfer.move($0) }
                    try synchronize()
                }
            }
        } catch {
            try? transfer.end(error)
            throw error
        }
        try transfer.end(nil)
    }
}
