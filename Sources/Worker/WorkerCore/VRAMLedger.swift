/// Who holds how much of a vGPU's memory. A pure value: the worker guards it with a lock.
///
/// A session holds a *grant*, which it may use without asking; the grants of all sessions together never exceed the
/// limit.
public struct VRAMLedger<SessionKey: Hashable> {
    /// One session's part, in bytes.
    public struct Account: Sendable, Equatable {
        public fileprivate(set) var granted: UInt64 = 0
        public fileprivate(set) var used: UInt64 = 0
    }

    /// The vGPU's memory, in bytes.
    public let limit: UInt64
    /// The sum of all grants.
    public private(set) var granted: UInt64 = 0
    /// The sum of all used bytes; never above ``granted``.
    public private(set) var used: UInt64 = 0
    private var accounts: [SessionKey: Account] = [:]

    public init(limit: UInt64) {
        self.limit = limit
    }

    /// A session's part; zeros for an unknown one.
    public func account(of session: SessionKey) -> Account { accounts[session] ?? Account() }

    /// Bytes that a session could still allocate: what nobody was granted, and what it was granted but does not use.
    public func available(to session: SessionKey) -> UInt64 {
        let account = account(of: session)
        return limit - granted + (account.granted - account.used)
    }

    /// Grants `wanted` bytes, or as many as there are; 0 if there are fewer than `minimum`.
    public mutating func grant(to session: SessionKey, minimum: UInt64, wanted: UInt64) -> UInt64 {
        let bytes = min(max(minimum, wanted), limit - granted)
        guard bytes >= minimum else { return 0 }
        accounts[session, default: Account()].granted += bytes
        granted += bytes
        return bytes
    }

    /// Takes granted bytes back, as far as they are not in use.
    public mutating func giveBack(from session: SessionKey, _ byteCount: UInt64) {
        guard var account = accounts[session] else { return }
        let bytes = min(byteCount, account.granted - account.used)
        account.granted -= bytes
        granted -= bytes
        accounts[session] = account
    }

    /// Uses granted bytes; false if the grant is too small.
    public mutating func allocate(for session: SessionKey, _ byteCount: UInt64) -> Bool {
        guard var account = accounts[session], byteCount <= account.granted - account.used else { return false }
        account.used += byteCount
        used += byteCount
        accounts[session] = account
        return true
    }

    /// Uses bytes that the session was not granted before; false if there are too few.
    public mutating func allocateBeyondGrant(for session: SessionKey, _ byteCount: UInt64) -> Bool {
        guard byteCount <= limit - granted else { return false }
        accounts[session, default: Account()].granted += byteCount
        accounts[session]?.used += byteCount
        granted += byteCount
        used += byteCount
        return true
    }

    /// Ends the use of bytes; they stay granted.
    public mutating func free(for session: SessionKey, _ byteCount: UInt64) {
        guard var account = accounts[session] else { return }
        let bytes = min(byteCount, account.used)
        account.used -= bytes
        used -= bytes
        accounts[session] = account
    }

    /// Ends the use of bytes and their grant.
    public mutating func freeBeyondGrant(for session: SessionKey, _ byteCount: UInt64) {
        free(for: session, byteCount)
        giveBack(from: session, byteCount)
    }

    /// Forgets a session; all that it held is free again.
    public mutating func close(_ session: SessionKey) {
        guard let account = accounts.removeValue(forKey: session) else { return }
        granted -= account.granted
        used -= account.used
    }
}
