import FleetModel

extension ConversionPart {
    /// What a pod says beside labels and annotations.
    mutating func takePodSpec(_ pod: inout PodTerms) {
        let spec = pod.template["spec"] ?? [:]
        let labels = ConversionPart.texts(spec["nodeSelector"])
        if !labels.isEmpty { pod.select("nodeLabels", .object(labels.mapValues(JSONValue.string))) }
        for name in ["affinity", "tolerations", "topologySpreadConstraints", "nodeName"] where spec[name] != nil {
            warn("\(pod.specPath).\(name)", "is not carried over; look at spec.selector and spec.affinity")
        }
        if let priority = spec["priorityClassName"]?.text, pod.spec["qos"] == nil {
            let field = "\(pod.specPath).priorityClassName"
            if priority.hasPrefix("tensor-fusion-") {
                pod.spec["qos"] = quality(String(priority.dropFirst("tensor-fusion-".count)), field: field)
            } else {
                warn(field, "has no equivalent; set spec.priority")
            }
        }
        let containers = spec["containers"]?.elements ?? []
        let chosen = pod.annotation("inject-container")?.split(separator: ",").first.map(String.init)
        let index = containers.firstIndex { $0["name"]?.text == chosen } ?? 0
        guard containers.indices.contains(index) else { return }
        takeNativeDevices(containers, &pod)
        let path = "\(pod.specPath).containers[\(index)]"
        for other in containers.indices where other != index {
            warn("\(pod.specPath).containers[\(other)]", "is another container; a workload has one program")
        }
        takeProgram(containers[index], at: path, &pod)
    }

    /// `nvidia.com/gpu: n` is n whole devices.
    private mutating func takeNativeDevices(_ containers: [JSONValue], _ pod: inout PodTerms) {
        var count: Int64 = 0
        for container in containers {
            for (name, value) in container.at("resources.limits")?.members ?? [:]
            where name == "nvidia.com/gpu" || name == "amd.com/gpu" {
                count += value.plainText.flatMap { Int64($0) } ?? 0
                if pod.spec["selector"]?["vendor"] == nil {
                    pod.select("vendor", .string(String(name.prefix { $0 != "." })))
                }
            }
        }
        if count > 0, pod.annotation("gpu-count") == nil { pod.request("devices", .integer(count)) }
    }

    /// A container's command runs on a node as it is: there are no images.
    private mutating func takeProgram(_ container: JSONValue, at path: String, _ pod: inout PodTerms) {
        let words = (container["command"]?.elements ?? []) + (container["args"]?.elements ?? [])
        guard container["command"] != nil, !words.isEmpty else {
            return warn(
                path,
                "names no command: the vGPUs are held for whoever connects, as with `roost run`; add "
                    + "spec.program to run one")
        }
        var environment: [String: JSONValue] = [:]
        for (index, variable) in (container["env"]?.elements ?? []).enumerated() {
            guard let name = variable["name"]?.text else { continue }
            if let value = variable["value"]?.plainText {
                environment[name] = .string(value)
            } else {
                warn("\(path).env[\(index)]", "\(name) comes from the cluster; set it in spec.program.environment")
            }
        }
        var program: JSONValue = ["command": .list(words.compactMap { $0.plainText.map(JSONValue.string) })]
        if !environment.isEmpty { program["environment"] = .object(environment) }
        if let directory = container["workingDir"]?.text { program["directory"] = .string(directory) }
        pod.spec["program"] = program
        if let image = container["image"]?.text {
            warn("\(path).image", "images are not run: the program must be on the nodes as it is in \(image)")
        }
        for name in ["volumeMounts", "envFrom"] where container[name] != nil {
            warn("\(path).\(name)", "has no equivalent; left out")
        }
    }

    /// Keys of users that nothing here does, and what to do.
    static let withoutEquivalent: [String: String] = [
        "gpu-indices": "the scheduler chooses among a node's devices; use spec.selector.models or .nodes",
        "partition-id": "devices are not partitioned; limits of compute and memory stand in their place",
        "container-gpu-count": "all devices of a replica go to one program",
        "sidecar-worker": "workers are processes of the node's agent",
        "embedded-worker": "workers are processes of the node's agent",
        "workload": "each workload has vGPUs of its own",
        "selected-workload": "each workload has vGPUs of its own",
        "worker-pod-template": "workers are no pods",
        "autoscale": "requests are not changed on their own; set request and limit",
        "autoscale-target": "requests are not changed on their own; set request and limit",
        "disable-features": "limits always count; ask for more, or for isolation: exclusive",
        "gpu-topology-max-tier": "use spec.topology.level",
        "gpu-topology-source": "topology comes from labels of nodes; use spec.topology.level",
        "host-port": "endpoints are given by the control plane",
        "port-name": "endpoints are given by the control plane",
        "do-not-disrupt": "nothing is moved for compaction; spec.preemptible: false keeps others from its place",
        "auto-resources": "requests are not changed on their own",
        "auto-replicas": "replicas are not changed on their own",
        "auto-scale-target-resource": "requests are not changed on their own",
        "standalone-worker-mode": "workers are processes of the node's agent",
        "generate-workload": "each object becomes a workload",
        "replicas": "replicas come from the controller; set spec.replicas",
    ]

    /// Keys that the other control plane writes itself; they mean nothing here.
    static let writtenBySystem: Set<String> = [
        "gpu-ids", "container-gpus", "index", "partition-uuids", "effective-hard-sm-percent", "hourly-pricing",
        "gpu-released", "pod-counter-key", "tf-pod-count", "pending-owned-workload", "workload-mode",
        "dedicated-worker", "is-default-pool", "gpu-missing-since", "last-sync", "virtualization-capabilities",
        "gang-desired-members", "gang-required-members", "gang-group-key", "component", "worker-name",
        "pod-template-hash", "node-selector-hash", "managed-by", "cluster", "node-class", "node-provisioner",
        "port-number", "hardware-vendor", "expansion-source",
    ]
}
