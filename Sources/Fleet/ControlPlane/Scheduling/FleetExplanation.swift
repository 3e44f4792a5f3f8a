import FleetModel
import Scheduling

/// Says in users' words why something finds no place.
enum FleetExplanation {
    /// The verdict in a sentence or two: how many places there are, what most of them lack, and what comes nearest.
    static func summary(_ diagnosis: Diagnosis) -> String {
        guard diagnosis.hostCount > 0 else {
            return "No node has joined; `roost join` adds one."
        }
        var sentence =
            "None of \(count(diagnosis.deviceCount, "device")) on "
            + "\(count(diagnosis.hostCount, "node")) fits"
        let most = reasons(diagnosis).prefix(2).map { "\($0.devices) \($0.message)" }
        if !most.isEmpty { sentence += ": " + most.joined(separator: ", ") }
        if let nearest = diagnosis.nearest {
            let place = nearest.device.map { "\($0) of \(nearest.host)" } ?? nearest.host
            sentence += ". Nearest is \(place), which lacks \(lack(nearest))"
        }
        return sentence + "."
    }

    /// The reasons, the most frequent first. Nodes that are out of the question count as one each.
    static func reasons(_ diagnosis: Diagnosis) -> [Explanation.Reason] {
        let nodes = diagnosis.rejectedHosts.filter { $0.key != .devices }
        let counts = nodes.merging(diagnosis.rejectedDevices, uniquingKeysWith: +)
        return counts.map { reason, count in
            Explanation.Reason(reason: reason.rawValue, message: reason.phrase, devices: Int64(count))
        }.sorted { ($1.devices, $0.reason) < ($0.devices, $1.reason) }
    }

    /// What the nearest place lacks, in words.
    private static func lack(_ fit: Diagnosis.NearestFit) -> String {
        let lacks = fit.shortages.map { shortage in
            let lack = shortage.reason.amount(shortage.wanted - shortage.available)
            return "\(lack) (\(shortage.reason.amount(shortage.available)) is free)"
        }
        return lacks.joined(separator: " and ")
    }

    /// What the nearest device lacks, in amounts; nil where it is no amount of a device.
    static func nearest(_ fit: Diagnosis.NearestFit) -> Explanation.NearestFit? {
        var missing = ResourceAmounts()
        for shortage in fit.shortages {
            let lack = Int64(shortage.wanted - shortage.available)
            switch shortage.reason {
            case .compute: missing.compute = Percent((lack + 9) / 10)
            case .vram: missing.memory = MemoryQuantity(mebibytes: lack)
            default: break
            }
        }
        guard missing != ResourceAmounts() else { return nil }
        return Explanation.NearestFit(node: fit.host, device: fit.device ?? "", missing: missing)
    }

    /// What would help, in a sentence.
    static func remedy(_ remedy: Diagnosis.Remedy) -> String {
        let phrase = remedy.phrase
        return phrase.prefix(1).uppercased() + phrase.dropFirst() + (phrase.hasSuffix(".") ? "" : ".")
    }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
