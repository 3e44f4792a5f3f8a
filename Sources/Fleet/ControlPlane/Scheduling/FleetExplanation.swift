import FleetModel
import Scheduling

/// Says in users' words why something finds no place.
enum FleetExplanation {
    /// The verdict in a sentence or two: how many places there are, what most of them lack, and what comes nearest.
    static func summary(_ explanation: Explanation) -> String {
        guard explanation.hostCount > 0 else {
            return "No node has joined; `roost join` adds one."
        }
        var sentence = "None of \(count(explanation.deviceCount, "device")) on "
            + "\(count(explanation.hostCount, "node")) fits"
        let most = rejections(explanation).prefix(2).map { "\($0.devices + $0.nodes) \($0.message)" }
        if !most.isEmpty { sentence += ": " + most.joined(separator: ", ") }
        if let nearest = explanation.nearest.map(nearest) {
            let place = nearest.device.map { "\($0) of \(nearest.node)" } ?? nearest.node
            sentence += ". Nearest is \(place), which lacks \(nearest.message)"
        }
        return sentence + "."
    }

    /// The reasons, the most frequent first.
    static func rejections(_ explanation: Explanation) -> [WhyAnswer.Rejection] {
        let nodes = explanation.rejectedHosts.filter { $0.key != .devices }.map { reason, count in
            WhyAnswer.Rejection(reason: reason.rawValue, message: reason.phrase, devices: 0, nodes: Int64(count))
        }
        let devices = explanation.rejectedDevices.map { reason, count in
            WhyAnswer.Rejection(reason: reason.rawValue, message: reason.phrase, devices: Int64(count), nodes: 0)
        }
        return (nodes + devices).sorted {
            ($1.devices + $1.nodes, $0.reason) < ($0.devices + $0.nodes, $1.reason)
        }
    }

    /// The place that comes nearest.
    static func nearest(_ fit: Explanation.NearestFit) -> WhyAnswer.NearestFit {
        let lacks = fit.shortages.map { shortage in
            let lack = shortage.reason.amount(shortage.wanted - shortage.available)
            return "\(lack) (\(shortage.reason.amount(shortage.available)) is free)"
        }
        return WhyAnswer.NearestFit(node: fit.host, device: fit.device, message: lacks.joined(separator: " and "))
    }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
