/// Who shares: a node in the tree of teams.
public struct ProjectSpec: ResourceSpec {
    public static let kind = ResourceKind.project
    public static let summary = "A team, or a part of one. Quotas and fair shares follow the tree of projects."

    /// The project above; nil for one at the top.
    public var parent: String?
    /// The part of what is left over, against the siblings'.
    public var weight: Double?
    /// What it is for.
    public var description: String?

    /// Describes a project.
    public init(parent: String? = nil, weight: Double? = nil, description: String? = nil) {
        self.parent = parent
        self.weight = weight
        self.description = description
    }

    public static let fields: [FieldSchema] = [
        FieldSchema("parent", .name, "The project above."),
        FieldSchema(
            "weight", .number(0...1_000_000), "The part of what is left over, against siblings.", fallback: "1"),
        FieldSchema("description", .text(max: 1000), "What it is for."),
    ]

    public static let initialStatus = ProjectStatus()
}

/// What a project has.
public struct ProjectStatus: Sendable, Hashable, Codable {
    /// What its workloads, and those of projects below, are guaranteed now.
    public var allocated = ResourceAmounts()
    /// What its fair share is now, in thousandths of a device.
    public var fairShareMilliDevices: Int64?
    /// How many of its workloads wait.
    public var pending: Int64?

    /// Nothing.
    public init() {}
}

/// What a project may use.
public struct QuotaSpec: ResourceSpec {
    public static let kind = ResourceKind.quota
    public static let summary = "What a project, with those below it, is sure of, and what it may use at most."

    /// Bounds for a single workload.
    public struct PerWorkload: Sendable, Hashable, Codable {
        /// The most devices of a replica.
        public var devices: Int64?
        /// The most compute of a device.
        public var compute: ComputeQuantity?
        /// The most memory of a device.
        public var memory: MemoryQuantity?
        /// The most replicas.
        public var replicas: Int64?

        /// No bounds.
        public init() {}
    }

    /// The project.
    public var project: String
    /// What it is sure of, whatever others want.
    public var guaranteed: ResourceAmounts?
    /// What its requests add up to at most.
    public var requests: ResourceAmounts?
    /// What its limits add up to at most.
    public var limits: ResourceAmounts?
    /// Bounds for a single workload.
    public var perWorkload: PerWorkload?
    /// What workloads ask for that say nothing.
    public var defaults: DeviceRequest?
    /// From which part of `requests` on an alert is raised.
    public var alertAt: Percent?

    /// Describes a quota without bounds.
    public init(project: String) {
        self.project = project
    }

    public static let fields: [FieldSchema] = [
        .required("project", .name, "The project, with all below it, that this is for."),
        FieldSchema(
            "guaranteed", .object(ResourceAmounts.fields),
            "What the project is sure of; others may borrow it, and give it back when it is wanted."),
        FieldSchema("requests", .object(ResourceAmounts.fields), "What all requests add up to at most."),
        FieldSchema("limits", .object(ResourceAmounts.fields), "What all limits add up to at most."),
        FieldSchema(
            "perWorkload",
            .object([
                FieldSchema("devices", .integer(1...128), "The most devices of a replica."),
                FieldSchema("compute", .compute, "The most compute of a device."),
                FieldSchema("memory", .memory, "The most memory of a device."),
                FieldSchema("replicas", .integer(1...100_000), "The most replicas."),
            ]), "Bounds for a single workload."),
        FieldSchema("defaults", .object(DeviceRequest.fields), "What workloads ask for that say nothing."),
        FieldSchema(
            "alertAt", .percent(max: 100), "From which part of requests on an alert is raised.", fallback: "95%"),
    ]

    public static let initialStatus = QuotaStatus()
}

/// How much of a quota is used.
public struct QuotaStatus: Sendable, Hashable, Codable {
    /// What requests add up to.
    public var requests = ResourceAmounts()
    /// What limits add up to.
    public var limits = ResourceAmounts()
    /// What is used of the guaranteed amounts of others.
    public var borrowed: ResourceAmounts?
    /// Whether it is nearly used up.
    public var conditions: [Condition]?

    /// Nothing used.
    public init() {}
}

/// What things cost.
public struct PriceListSpec: ResourceSpec {
    public static let kind = ResourceKind.priceList
    public static let summary = "What a pool's compute and memory cost by the hour."

    /// The price of a whole device of one model.
    public struct ModelPrice: Sendable, Hashable, Codable {
        /// The model.
        public var model: String
        /// For each hour of the whole device.
        public var perDeviceHour: Double

        /// Sets a price.
        public init(model: String, perDeviceHour: Double) {
            self.model = model
            self.perDeviceHour = perDeviceHour
        }
    }

    /// Three letters (ISO 4217).
    public var currency: String
    /// For each TFLOPS and hour, where no model's price counts.
    public var perTeraflopHour: Double?
    /// For each GiB of device memory and hour, where no model's price counts.
    public var perGiBHour: Double?
    /// What limits above requests cost, as a part of the price.
    public var limitRatio: Percent?
    /// What the time of protection from eviction costs, as a part of the price.
    public var protectionRatio: Percent?
    /// Prices of whole devices; a share costs its part.
    public var models: [ModelPrice]?

    /// Describes a list without prices.
    public init(currency: String) {
        self.currency = currency
    }

    public static let fields: [FieldSchema] = [
        .required("currency", .text(max: 3), "Three letters (ISO 4217), such as USD."),
        FieldSchema("perTeraflopHour", .number(0...1e6), "For each TFLOPS and hour, where no model's price counts."),
        FieldSchema("perGiBHour", .number(0...1e6), "For each GiB and hour, where no model's price counts."),
        FieldSchema(
            "limitRatio", .percent(max: 100), "What limits above requests cost, of the price.", fallback: "100%"),
        FieldSchema(
            "protectionRatio", .percent(max: 1000), "What protection from eviction costs, of the price.",
            fallback: "120%"),
        FieldSchema(
            "models",
            .list(
                .object([
                    .required("model", .text(max: 128), "The model."),
                    .required("perDeviceHour", .number(0...1e6), "For each hour of the whole device."),
                ]), max: 256), "Prices of whole devices; a share costs its part."),
    ]
}
