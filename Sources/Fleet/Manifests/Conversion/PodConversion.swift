import FleetModel

extension ConversionPart {
    /// Turns a pod, or a controller's pod template, into a workload.
    mutating func convertPods(at path: String) {
        let template = path.isEmpty ? manifest.value : manifest.value.at(path) ?? [:]
        let metadataPath = path.isEmpty ? "metadata" : "\(path).metadata"
        let labels = ConversionPart.texts(template.at("metadata.labels"))
        let annotations = ConversionPart.texts(template.at("metadata.annotations"))
        guard labels["\(ConversionPart.domain)enabled"] == "true" else {
            return warn(
                metadataPath, "has no label \(ConversionPart.domain)enabled: \"true\", so it uses no vGPU; left out")
        }
        var pod = PodTerms(
            template: template, annotations: annotations, path: metadataPath,
            specPath: path.isEmpty ? "spec" : "\(path).spec")
        takeResources(&pod)
        for (key, value) in annotations.merging(labels, uniquingKeysWith: { own, _ in own })
            .sorted(by: { $0.key < $1.key }) where key.hasPrefix(ConversionPart.domain)
        {
            let isLabel = labels[key] != nil
            take(
                String(key.dropFirst(ConversionPart.domain.count)), value,
                field: "\(metadataPath).\(isLabel ? "labels" : "annotations").\(key)", &pod)
        }
        takeGang(&pod)
        takePodSpec(&pod)
        let own = labels.filter { !$0.key.hasPrefix(ConversionPart.domain) }.mapValues(JSONValue.string)
        made.append(
            .manifest(.workload, name: name, project: project(), labels: .object(own), spec: pod.spec))
    }

    /// A pod's terms while they are read.
    struct PodTerms {
        var template: JSONValue
        var annotations: [String: String]
        var path: String
        var specPath: String
        /// Our workload's spec.
        var spec: JSONValue = [:]

        func annotation(_ name: String) -> String? { annotations[ConversionPart.domain + name] }

        /// Sets a member of the selector.
        mutating func select(_ name: String, _ value: JSONValue) {
            var selector = spec["selector"] ?? [:]
            selector[name] = value
            spec["selector"] = selector
        }

        /// Sets a member of the resources.
        mutating func request(_ name: String, _ value: JSONValue) {
            var resources = spec["resources"] ?? [:]
            resources[name] = value
            spec["resources"] = resources
        }
    }

    static func texts(_ object: JSONValue?) -> [String: String] {
        (object?.members ?? [:]).compactMapValues(\.plainText)
    }

    private mutating func takeResources(_ pod: inout PodTerms) {
        pod.spec["resources"] = resources(
            RequestTerms(annotations: pod.annotations, path: "\(pod.path).annotations"))
        let replicas = spec["replicas"] ?? spec["parallelism"]
        if manifest.value["kind"]?.text != "Pod", case .integer(let count)? = replicas {
            pod.spec["replicas"] = .integer(count)
        }
        if manifest.value["kind"]?.text == "DaemonSet" {
            warn("kind", "one replica for each node has no equivalent; this makes one replica")
        }
    }

    /// Takes one key of ours over, or says why not.
    private mutating func take(_ key: String, _ value: String, field: String, _ pod: inout PodTerms) {
        switch key {
        case "enabled", "tflops-request", "tflops-limit", "compute-percent-request", "compute-percent-limit",
            "vram-request", "vram-limit", "inject-container", "gang-enabled", "gang-min-members", "gang-timeout":
            break
        case "gpupool": pod.spec["pool"] = .string(value)
        case "workload-profile": pod.spec["profile"] = .string(value)
        case "gpu-model":
            pod.select("models", .list(value.split(separator: ",").map { .string(String($0)) }))
        case "vendor": pod.select("vendor", .string(value.lowercased()))
        case "gpu-count", "enabled-replicas": takeCount(key, value, field: field, &pod)
        case "isolation": pod.spec["isolation"] = isolation(value, field: field)
        case "dedicated-gpu":
            guard value == "true" else { return }
            pod.spec["isolation"] = "exclusive"
            pod.spec["resources"]?["compute"] = nil
            pod.spec["resources"]?["memory"] = nil
            if pod.spec["resources"]?.members?.isEmpty == true { pod.spec["resources"] = nil }
        case "is-local-gpu": pod.spec["remote"] = value == "true" ? "never" : "allowed"
        case "qos": pod.spec["qos"] = quality(value, field: field)
        case "eviction-protection":
            if let span = KubernetesQuantity.span(value) {
                pod.spec["evictionProtection"] = .string(span.description)
            } else {
                warn(field, "\"\(value)\" is no length of time, such as 1h30m; left out")
            }
        case "require-gpu-topology":
            if value == "true" { pod.spec["topology"] = ["level": "node", "required": true] }
        default:
            if let reason = ConversionPart.withoutEquivalent[key] {
                warn(field, "has no equivalent: \(reason)")
            } else if !ConversionPart.writtenBySystem.contains(key) {
                warn(field, "is not known; left out")
            }
        }
    }

    private mutating func takeCount(_ key: String, _ value: String, field: String, _ pod: inout PodTerms) {
        guard let count = Int64(value), count >= 0 else {
            return warn(field, "\"\(value)\" is no whole number; left out")
        }
        if key == "gpu-count" { return pod.request("devices", .integer(count)) }
        pod.spec["replicas"] = .integer(count)
        warn(field, "a part of the replicas can't go without a vGPU; this makes \(count) replicas")
    }

    /// Our word for a way to keep vGPUs apart.
    mutating func isolation(_ value: String, field: String) -> JSONValue? {
        switch value {
        case "soft": return "shared"
        case "shared":
            // There it is a whole idle device, without limits.
            return "exclusive"
        case "hard":
            warn(field, "limits are enforced in the worker for all; becomes isolation: shared")
            return "shared"
        default:
            warn(field, "\"\(value)\" has no equivalent: devices are not partitioned; becomes isolation: shared")
            return "shared"
        }
    }

    /// Our word for an urgency.
    mutating func quality(_ value: String, field: String) -> JSONValue? {
        if QualityOfService(rawValue: value) != nil { return .string(value) }
        warn(field, "\"\(value)\" is none of low, medium, high and critical; left out")
        return nil
    }

    private mutating func takeGang(_ pod: inout PodTerms) {
        guard pod.annotation("gang-enabled") == "true" else { return }
        pod.spec["gang"] = gang(
            minimum: pod.annotation("gang-min-members"), timeout: pod.annotation("gang-timeout"),
            path: "\(pod.path).annotations.\(ConversionPart.domain)gang-timeout")
    }

    /// All at once or none; 0 stands for all, and for ever.
    mutating func gang(minimum: String?, timeout: String?, path: String) -> JSONValue {
        var gang: JSONValue = [:]
        if let count = minimum.flatMap({ Int64($0) }), count > 0 { gang["minimum"] = .integer(count) }
        guard let timeout else { return gang }
        if let span = KubernetesQuantity.span(timeout) {
            if span.milliseconds > 0 { gang["timeout"] = .string(span.description) }
        } else {
            warn(path, "\"\(timeout)\" is no length of time, such as 5m; left out")
        }
        return gang
    }
}
