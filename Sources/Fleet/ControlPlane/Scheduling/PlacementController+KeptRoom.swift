import Admission
import FleetModel
import Scheduling

/// Room that is kept, as it becomes free, for a request that is too large for what becomes free at once.
struct KeptRoom {
    /// The request.
    var id: String
    /// Until when: what it waits for may never end.
    var until: Timestamp
    /// What stands in the scheduler for the room that is free already.
    var fillers: [String] = []
}

/// Without this a large request never runs in a busy fleet: small ones take whatever becomes free. Only one request has
/// room kept for it at a time, the first in the queue that is overdue, so that little stands idle for it.
extension PlacementController {
    /// Keeps what is free where an overdue request can be placed soonest.
    ///
    /// - Returns: That it is so, in a sentence; nil where another has its turn, or no node is large enough.
    func keepRoom(
        for id: String, _ replicas: WaitingReplicas, now: Timestamp, in list: inout ActionList
    ) -> String? {
        guard let span = settings.roomKeepingSpan, keptRoom.map({ $0.id == id }) ?? true else { return nil }
        if let end = keptInVain[id], end > now { return nil }
        let needed = Array(replicas.requests.prefix(replicas.minimum))
        guard let targets = (try? scheduler.roomToKeep(for: needed)).flatMap(\.self) else { return nil }
        if keptRoom == nil {
            keptRoom = KeptRoom(id: id, until: now + span)
            list.note(
                replicas.workload, .normal, "RoomKept",
                "\(replicas.places[0].base) has waited long; room is kept for it for \(span).", at: now)
        }
        let wanted = targets.flatMap(\.devices)
        var free = 0
        for (index, part) in wanted.enumerated() {
            guard let idle = scheduler.idle(part.device, of: part.host) else { continue }
            var kept = part
            kept.computeMilli = min(part.computeMilli, idle.computeMilli)
            kept.vramMiB = min(part.vramMiB, idle.vramMiB)
            if kept == part { free += 1 }
            guard kept.computeMilli > 0 || kept.vramMiB > 0 else { continue }
            if let filler = fill(kept, index, for: id) { keptRoom?.fillers.append(filler) }
        }
        return
            "It has waited long, so room is kept for it as it becomes free: \(free) of \(wanted.count) devices so far."
    }

    /// Gives the kept room free before the queue is walked: who goes before the request may have it, and then the
    /// request itself, for which what is left is kept anew.
    func liftKeptRoom() {
        guard let keptRoom else { return }
        release(keptRoom.fillers)
        self.keptRoom?.fillers = []
        waiting[keptRoom.id]?.triedEpoch = nil
    }

    /// Keeps no room any more for a request that has its place or waits no longer.
    func endKeptRoom(for id: String) {
        keptInVain[id] = nil
        guard let keptRoom, keptRoom.id == id else { return }
        release(keptRoom.fillers)
        self.keptRoom = nil
        noteRoom()
    }

    /// Keeps no room any more where it was in vain for too long.
    func endKeptRoom(now: Timestamp) {
        guard let keptRoom, keptRoom.until <= now else { return }
        endKeptRoom(for: keptRoom.id)
        if let span = settings.roomKeepingSpan { keptInVain[keptRoom.id] = now + span }
    }

    private func release(_ fillers: [String]) {
        for filler in fillers { _ = try? scheduler.apply(.release(workload: filler)) }
    }
}
