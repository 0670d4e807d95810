//! A policy as an ONNX graph that any ONNX runtime can serve: raw features in, each
//! under its name, logits or an action out (R5).
//!
//! The scaling runs in double precision as ours does, then everything in single.

mod schema;

use prost::Message as _;

use self::schema::{
    ATTRIBUTE_INT, Attribute, DOUBLE, Dimension, Entry, FLOAT, Graph, Model, Node, OperatorSet, Shape, TensorData,
    TensorType, Type, ValueInfo,
};
use crate::kernels::Activation;
use crate::policy::{ACCOUNT_INPUTS, Head, Policy};
use assay_types::SCALED_LIMIT;

/// The operator set of the graph.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;
/// Before every name inside the graph, so that none meets a feature's.
const INNER: &str = "assay/";

impl Policy {
    /// The ONNX model. Inputs: one double tensor [batch, 1] per feature column, under
    /// its name and in order, then `position` and `unrealised_return`. Output: `logits`
    /// [batch, 3] (long, flat, short) or `action` [batch, 1]. `properties` are added to
    /// the metadata, which always name the features, their order and the head.
    #[must_use]
    pub fn to_onnx(&self, properties: &[(String, String)]) -> Vec<u8> {
        let mut graph = Graph { name: "assay-policy".into(), ..Graph::default() };
        for name in self.columns().iter().map(String::as_str).chain(ACCOUNT_INPUTS) {
            graph.input.push(value_info(name, DOUBLE, 1));
        }
        let mut last = scaled_inputs(self, &mut graph);
        let depth = self.network().depth();
        for index in 0..depth {
            let (weight, bias) = self.network().layer(index);
            let (inputs, outputs) = (self.network().sizes()[index], self.network().sizes()[index + 1]);
            let (weight_name, bias_name) = (format!("actor.{index}.weight"), format!("actor.{index}.bias"));
            graph.initializer.push(floats(&weight_name, &[outputs, inputs], &weight));
            graph.initializer.push(floats(&bias_name, &[outputs], &bias));
            let is_last = index + 1 == depth;
            let sums = match self.head() {
                Head::Discrete if is_last => "logits".to_owned(),
                _ => format!("{INNER}sums.{index}"),
            };
            let transposed = vec![integer("transB", 1)];
            node(
                &mut graph,
                "Gemm",
                &[&last, &format!("{INNER}{weight_name}"), &format!("{INNER}{bias_name}")],
                &sums,
                transposed,
            );
            last = match (self.head(), self.network().activation()) {
                (Head::Discrete, _) if is_last => sums,
                (Head::Scalar, _) if is_last => {
                    node(&mut graph, "Tanh", &[&sums], "action", Vec::new());
                    "action".into()
                }
                (_, activation) => {
                    let out = format!("{INNER}units.{index}");
                    let operator = match activation {
                        Activation::Tanh => "Tanh",
                        Activation::Relu => "Relu",
                    };
                    node(&mut graph, operator, &[&sums], &out, Vec::new());
                    out
                }
            };
        }
        graph.output.push(value_info(&last, FLOAT, self.head().outputs() as i64));
        let mut metadata: Vec<Entry> = vec![
            entry("assay.features", &serde_json::json!(self.columns()).to_string()),
            entry("assay.account_inputs", &serde_json::json!(ACCOUNT_INPUTS).to_string()),
            entry("assay.scaling", "clip((x - offset) * factor, -10, 10) in double precision"),
            entry("assay.head", if self.head() == Head::Discrete { "discrete" } else { "scalar" }),
            entry("assay.targets", "long, flat, short"),
        ];
        metadata.extend(properties.iter().map(|(key, value)| entry(key, value)));
        Model {
            ir_version: IR_VERSION,
            producer_name: "assay".into(),
            graph: Some(graph),
            opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
            metadata_props: metadata,
        }
        .encode_to_vec()
    }
}

/// Concatenates and scales the features, adds the account; gives the name of the result.
fn scaled_inputs(policy: &Policy, graph: &mut Graph) -> String {
    let inner = |name: &str| format!("{INNER}{name}");
    let columns = policy.columns().len();
    let scaling = policy.scaling();
    let mut parts = Vec::new();
    if columns > 0 {
        graph.initializer.push(doubles("offset", &[1, columns], &scaling.offset));
        graph.initializer.push(doubles("factor", &[1, columns], &scaling.factor));
        graph.initializer.push(doubles("least", &[], &[-SCALED_LIMIT]));
        graph.initializer.push(doubles("most", &[], &[SCALED_LIMIT]));
        let names: Vec<&str> = policy.columns().iter().map(String::as_str).collect();
        node(graph, "Concat", &names, &inner("raw"), vec![integer("axis", 1)]);
        node(graph, "Sub", &[&inner("raw"), &inner("offset")], &inner("shifted"), Vec::new());
        node(graph, "Mul", &[&inner("shifted"), &inner("factor")], &inner("scaled"), Vec::new());
        node(graph, "Clip", &[&inner("scaled"), &inner("least"), &inner("most")], &inner("clipped"), Vec::new());
        node(graph, "Cast", &[&inner("clipped")], &inner("features"), vec![integer("to", FLOAT.into())]);
        parts.push(inner("features"));
    }
    for name in ACCOUNT_INPUTS {
        node(graph, "Cast", &[name], &inner(name), vec![integer("to", FLOAT.into())]);
        parts.push(inner(name));
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    node(graph, "Concat", &parts, &inner("inputs"), vec![integer("axis", 1)]);
    inner("inputs")
}

fn node(graph: &mut Graph, operator: &str, inputs: &[&str], output: &str, attribute: Vec<Attribute>) {
    graph.node.push(Node {
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        name: format!("{INNER}node.{}", graph.node.len()),
        op_type: operator.to_owned(),
        attribute,
    });
}

fn integer(name: &str, value: i64) -> Attribute {
    Attribute { name: name.into(), i: Some(value), kind: ATTRIBUTE_INT }
}

fn entry(key: &str, value: &str) -> Entry {
    Entry { key: key.into(), value: value.into() }
}

fn value_info(name: &str, elem_type: i32, width: i64) -> ValueInfo {
    let batch = Dimension { dim_value: None, dim_param: Some("batch".into()) };
    let width = Dimension { dim_value: Some(width), dim_param: None };
    let shape = Some(Shape { dim: vec![batch, width] });
    ValueInfo { name: name.into(), kind: Some(Type { tensor_type: Some(TensorType { elem_type, shape }) }) }
}

fn tensor(name: &str, shape: &[usize], data_type: i32, raw_data: Vec<u8>) -> TensorData {
    let dims = shape.iter().map(|side| *side as i64).collect();
    TensorData { dims, data_type, name: format!("{INNER}{name}"), raw_data }
}

fn floats(name: &str, shape: &[usize], values: &[f32]) -> TensorData {
    tensor(name, shape, FLOAT, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn doubles(name: &str, shape: &[usize], values: &[f64]) -> TensorData {
    tensor(name, shape, DOUBLE, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}
