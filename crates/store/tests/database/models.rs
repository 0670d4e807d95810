//! Models are published once, and private ones shown to their owner alone.

use assay_store::database::{ModelRow, PlatformDatabase, Reader};

use crate::both::both;

fn model(model_id: &str, owner: &str, is_private: bool) -> ModelRow {
    ModelRow {
        model_id: model_id.to_owned(),
        number: 0,
        name: format!("of {owner}"),
        owner: owner.to_owned(),
        run_id: "run".to_owned(),
        is_private,
        model_cid: "bafkrei".to_owned(),
        config_cid: "bafkrei2".to_owned(),
        fee_bps: 25,
        card: "{}".to_owned(),
        probe: "ff".to_owned(),
        published_at: 7,
    }
}

fn ids(models: &[ModelRow]) -> Vec<&str> {
    models.iter().map(|model| model.model_id.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_publications_of_the_same_weights_one_counts() {
    for empty in both() {
        let databases = [
            PlatformDatabase::open(&empty.location).await.unwrap(),
            PlatformDatabase::open(&empty.location).await.unwrap(),
        ];
        let attempts = (0..8).map(|n: usize| {
            let database = databases[n % 2].clone();
            tokio::spawn(async move { database.publish_model(&model("w", &format!("user {n}"), false), 9).await })
        });
        let mut numbers = Vec::new();
        for attempt in attempts.collect::<Vec<_>>() {
            numbers.extend(attempt.await.unwrap().unwrap());
        }
        assert_eq!(numbers, [1]);
        // Refused publications told nothing and took no number.
        assert_eq!(databases[0].last_event().await.unwrap(), 1);
        assert_eq!(databases[0].publish_model(&model("x", "ann", false), 9).await.unwrap(), Some(2));
        let stored = databases[1].model("x").await.unwrap().unwrap();
        assert_eq!(stored, ModelRow { number: 2, ..model("x", "ann", false) });
    }
}

#[tokio::test]
async fn a_private_model_is_listed_to_its_owner_alone() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        for (id, owner, is_private) in
            [("a", "ann", false), ("b", "ann", true), ("c", "bob", true), ("d", "bob", false)]
        {
            database.publish_model(&model(id, owner, is_private), 9).await.unwrap().unwrap();
        }
        let listed = async |reader, before, limit| database.models(reader, before, limit).await.unwrap();
        assert_eq!(ids(&listed(Reader::All, None, 9).await), ["d", "c", "b", "a"]);
        assert_eq!(ids(&listed(Reader::User("ann"), None, 9).await), ["d", "b", "a"]);
        assert_eq!(ids(&listed(Reader::User("eve"), None, 9).await), ["d", "a"]);
        assert_eq!(ids(&listed(Reader::User("bob"), Some(4), 1).await), ["c"]);
        assert_eq!(ids(&database.models_of_run(Reader::User("eve"), "run").await.unwrap()), ["d", "a"]);
        assert_eq!(database.model("nothing").await.unwrap(), None);
        let events = database.events_after(0, 9).await.unwrap().events;
        let owners: Vec<Option<&str>> = events.iter().map(|event| event.event.owner.as_deref()).collect();
        assert_eq!(owners, [None, Some("ann"), Some("bob"), None]);
    }
}
