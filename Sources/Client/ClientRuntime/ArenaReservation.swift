internal import CPosix
internal import Primitives
internal import WireProtocol

/// The addresses that this process keeps free for a device: a proposal at first, then what the worker agreed to.
final class ArenaReservation {
    /// How often another place is proposed before the device counts as unusable.
    static let attemptCount = 8

    /// Guards everything below; held while the worker is asked.
    let lock = Lock()
    private(set) var arena: DeviceArena
    /// Whether the addresses are mapped, without access. They are not where the process may map no more, and then
    /// memory that the host can touch fails, but nothing else.
    private(set) var isHeld = false

    /// Reserves a place that differs from process to process, so that sessions of one worker seldom want the same.
    init() {
        arena = DeviceArena.inSlot(0)
        propose()
        if !isHeld { ClientLog.problem("no range of addresses can be reserved; host-visible memory fails") }
    }

    /// Takes the worker's answer over; false when something of this process is there, with another proposal ready.
    func move(to answer: DeviceArena) -> Bool {
        if answer == arena { return true }
        let wasHeld = isHeld
        release()
        if !wasHeld || hold(answer) == 0 {
            arena = answer
            return true
        }
        propose()
        return false
    }

    private func propose() {
        var slot: UInt64 = 0
        withUnsafeMutableBytes(of: &slot) { bytes in
            if let start = bytes.baseAddress { posix_random(start, bytes.count) }
        }
        slot %= DeviceArena.slotCount
        for step in 0..<DeviceArena.slotCount {
            arena = DeviceArena.inSlot(slot &+ step)
            if hold(arena) != -Int32(POSIX_ERROR_EXISTS) { return }
        }
    }

    /// 0 or a negative error number.
    private func hold(_ arena: DeviceArena) -> Int32 {
        let start = UnsafeMutableRawPointer(bitPattern: UInt(arena.base))
        isHeld = posix_map_anonymous(start, Int(arena.byteCount), Int32(POSIX_PROTECT_NONE)) != nil
        return isHeld ? 0 : -posix_errno()
    }

    private func release() {
        if isHeld, let start = UnsafeMutableRawPointer(bitPattern: UInt(arena.base)) {
            _ = posix_unmap(start, Int(arena.byteCount))
        }
        isHeld = false
    }
}
