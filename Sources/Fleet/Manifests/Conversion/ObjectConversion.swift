import FleetModel

extension ConversionPart {
    // MARK: - Profiles and workloads

    private static let workloadFields: Set<String> = [
        "replicas", "poolName", "resources", "qos", "isLocalGPU", "isolation", "gpuModel", "gpuCount", "vendor",
        "gangScheduling",
    ]

    mutating func convertProfile() {
        var profile = sharedTerms()
        for name in ["replicas", "gangScheduling", "isLocalGPU"] where spec[name] != nil {
            warn("spec.\(name)", "is a matter of each workload here; set it there")
        }
        profile["remote"] = nil
        made.append(.manifest(.profile, name: name, project: project(), spec: profile))
    }

    mutating func convertWorkload() {
        var workload = sharedTerms()
        if let replicas = spec["replicas"] { workload["replicas"] = replicas }
        if let gang = spec["gangScheduling"] {
            workload["gang"] = self.gang(
                minimum: gang["minMembers"]?.plainText, timeout: gang["timeout"]?.plainText,
                path: "spec.gangScheduling.timeout")
        }
        made.append(.manifest(.workload, name: name, project: project(), spec: workload))
    }

    /// What profiles and workloads have in common.
    private mutating func sharedTerms() -> JSONValue {
        var ours: JSONValue = [:]
        let terms = RequestTerms(
            requests: spec.at("resources.requests"), limits: spec.at("resources.limits"),
            paths: ("spec.resources.requests", "spec.resources.limits"))
        ours["resources"] = resources(terms)
        if let count = spec["gpuCount"]?.plainText.flatMap({ Int64($0) }), count > 0 {
            var resources = ours["resources"] ?? [:]
            resources["devices"] = .integer(count)
            ours["resources"] = resources
        }
        var selector: JSONValue = [:]
        if let model = spec["gpuModel"]?.text, !model.isEmpty { selector["models"] = [.string(model)] }
        if let vendor = spec["vendor"]?.text, !vendor.isEmpty { selector["vendor"] = .string(vendor.lowercased()) }
        if selector.members?.isEmpty == false { ours["selector"] = selector }
        if let pool = spec["poolName"]?.text { ours["pool"] = .string(pool) }
        if let word = spec["qos"]?.text { ours["qos"] = quality(word, field: "spec.qos") }
        if let word = spec["isolation"]?.text { ours["isolation"] = isolation(word, field: "spec.isolation") }
        if case .boolean(let isLocal)? = spec["isLocalGPU"] { ours["remote"] = isLocal ? "never" : "allowed" }
        warnOfOthers(in: spec, at: "spec", except: ConversionPart.workloadFields)
        return ours
    }

    // MARK: - Pools

    mutating func convertPool() {
        var pool: JSONValue = [:]
        if ConversionPart.texts(manifest.value.at("metadata.annotations"))["\(Self.domain)is-default-pool"] == "true" {
            pool["default"] = true
        }
        if spec["defaultUsingLocalGPU"] == .boolean(true) {
            pool["remote"] = false
            warn("spec.defaultUsingLocalGPU", "becomes remote: false, which workloads can't override")
        }
        if let ratio = spec.at("capacityConfig.oversubscription.tflopsOversellRatio")?.plainText {
            if let percent = KubernetesQuantity.percent(ratio), percent.value >= 100 {
                pool["oversell"] = ["compute": .string(percent.description)]
            } else {
                warn("spec.capacityConfig.oversubscription.tflopsOversellRatio", "\(ratio) is below 100%; left out")
            }
        }
        takeNodeSelector(&pool)
        takePrices(&pool)
        warnOfOthers(
            in: spec.at("capacityConfig.oversubscription"), at: "spec.capacityConfig.oversubscription",
            except: ["tflopsOversellRatio"])
        warnOfOthers(in: spec["capacityConfig"], at: "spec.capacityConfig", except: ["oversubscription"])
        warnOfOthers(in: spec["nodeManagerConfig"], at: "spec.nodeManagerConfig", except: ["nodeSelector"])
        warnOfOthers(
            in: spec, at: "spec",
            except: ["defaultUsingLocalGPU", "capacityConfig", "nodeManagerConfig", "qosConfig"])
        made.append(.manifest(.pool, name: name, spec: pool))
    }

    /// Only `In` with one value is a label of ours.
    private mutating func takeNodeSelector(_ pool: inout JSONValue) {
        let path = "spec.nodeManagerConfig.nodeSelector"
        guard let selector = spec.at("nodeManagerConfig.nodeSelector") else { return }
        let terms = selector["nodeSelectorTerms"]?.elements ?? []
        if terms.count > 1 { warn(path, "has several terms; the first counts here") }
        var labels: [String: JSONValue] = [:]
        for (index, expression) in (terms.first?["matchExpressions"]?.elements ?? []).enumerated() {
            let values = expression["values"]?.elements ?? []
            if let key = expression["key"]?.text, expression["operator"]?.text == "In", values.count == 1 {
                labels[key] = values[0]
            } else {
                warn(
                    "\(path).nodeSelectorTerms[0].matchExpressions[\(index)]",
                    "only In with one value has an equivalent; label the nodes and name that label")
            }
        }
        if !labels.isEmpty { pool["nodeSelector"] = .object(labels) }
    }

    /// Prices by level become one price list, that of the default level.
    private mutating func takePrices(_ pool: inout JSONValue) {
        guard let config = spec["qosConfig"] else { return }
        let level = config["defaultQoS"]?.text ?? "medium"
        if config["defaultQoS"] != nil { pool["defaultQoS"] = quality(level, field: "spec.qosConfig.defaultQoS") }
        if config["definitions"] != nil {
            warn("spec.qosConfig.definitions", "the levels are low, medium, high and critical; left out")
        }
        let prices = config["pricing"]?.elements ?? []
        guard let price = prices.first(where: { $0["qos"]?.text == level }) ?? prices.first else { return }
        if prices.count > 1 {
            warn("spec.qosConfig.pricing", "a price list has one price for all levels; that of \(level) counts here")
        }
        var list: JSONValue = ["currency": "USD"]
        func number(_ value: JSONValue?) -> JSONValue? { value?.plainText.flatMap(Double.init).map(JSONValue.number) }
        list["perTeraflopHour"] = number(price.at("requests.perFP16TFlopsPerHour"))
        list["perGiBHour"] = number(price.at("requests.perGBOfVRAMPerHour"))
        func ratio(_ value: JSONValue?) -> JSONValue? {
            value?.plainText.flatMap(Double.init).map { .string("\(Int64(($0 * 100).rounded()))%") }
        }
        list["limitRatio"] = ratio(price["limitsOverRequests"])
        list["protectionRatio"] = ratio(config["evictionProtectionPriceRatio"])
        warn("spec.qosConfig.pricing", "names no currency; USD is taken")
        made.append(.manifest(.priceList, name: name, spec: list))
        pool["priceList"] = .string(name)
    }

    // MARK: - Quotas

    mutating func convertQuota() {
        let namespace = project()
        var quota: JSONValue = ["project": .string(namespace)]
        quota["requests"] = amounts(spec.at("total.requests"), at: "spec.total.requests")
        quota["limits"] = amounts(spec.at("total.limits"), at: "spec.total.limits")
        if case .integer(let count)? = spec.at("total.maxWorkers") {
            var requests = quota["requests"] ?? [:]
            requests["vgpus"] = .integer(count)
            quota["requests"] = requests
        }
        if let percent = spec.at("total.alertThresholdPercent")?.plainText { quota["alertAt"] = .string("\(percent)%") }
        var single: JSONValue = [:]
        let limits = RequestTerms(
            requests: nil, limits: spec.at("single.maxLimits") ?? spec.at("single.maxRequests"),
            paths: ("", spec.at("single.maxLimits") == nil ? "spec.single.maxRequests" : "spec.single.maxLimits"))
        for (name, value) in resources(limits)?.members ?? [:] { single[name] = value }
        if spec.at("single.maxLimits") != nil, spec.at("single.maxRequests") != nil {
            warn("spec.single.maxRequests", "a workload has one bound, that of its limits; left out")
        }
        if let count = spec.at("single.maxGPUCount") { single["devices"] = count }
        if single.members?.isEmpty == false { quota["perWorkload"] = single }
        quota["defaults"] = resources(
            RequestTerms(
                requests: spec.at("single.defaultRequests"), limits: spec.at("single.defaultLimits"),
                paths: ("spec.single.defaultRequests", "spec.single.defaultLimits")))
        warnOfOthers(in: spec, at: "spec", except: ["total", "single"])
        made.append(.manifest(.quota, name: name, spec: quota))
    }

    /// Sums of speeds and memory.
    private mutating func amounts(_ object: JSONValue?, at path: String) -> JSONValue? {
        guard let object else { return nil }
        let terms = RequestTerms(requests: object, limits: nil, paths: (path, ""))
        var amounts: JSONValue = [:]
        let read = resources(terms)
        if let compute = read?["compute"]?.text {
            amounts[compute.hasSuffix("%") ? "compute" : "speed"] = .string(compute)
        }
        amounts["memory"] = read?["memory"]
        return amounts.members?.isEmpty == false ? amounts : nil
    }
}
